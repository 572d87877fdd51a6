/* lang.c - file names and extensions to languages. */
#include "repo/lang.h"

#include <string.h>
#include <strings.h>

struct lang {
    const char *key, *name;
};

/* Sorted by use is of no help at this size; sorted by name, to be read. */
static const struct lang by_name[] = {
    {"BUILD", "starlark"}, {"CMakeLists.txt", "cmake"},
    {"Containerfile", "dockerfile"}, {"Dockerfile", "dockerfile"},
    {"GNUmakefile", "makefile"}, {"Gemfile", "ruby"},
    {"Jenkinsfile", "groovy"}, {"Kbuild", "makefile"},
    {"Kconfig", "kconfig"}, {"Makefile", "makefile"},
    {"Rakefile", "ruby"}, {"SConstruct", "python"},
    {"WORKSPACE", "starlark"}, {"configure.ac", "autoconf"},
    {"go.mod", "go-module"}, {"makefile", "makefile"},
    {"meson.build", "meson"}
};

static const struct lang by_extension[] = {
    {"C", "c++"}, {"S", "assembly"}, {"ac", "autoconf"}, {"ada", "ada"},
    {"adb", "ada"}, {"adoc", "asciidoc"}, {"ads", "ada"},
    {"am", "automake"}, {"asm", "assembly"}, {"awk", "awk"},
    {"bash", "shell"}, {"bat", "batch"}, {"bats", "shell"},
    {"bzl", "starlark"}, {"c", "c"}, {"c++", "c++"}, {"cc", "c++"},
    {"cl", "opencl"}, {"clj", "clojure"}, {"cljs", "clojure"},
    {"cmake", "cmake"}, {"cnf", "ini"}, {"cob", "cobol"},
    {"coffee", "coffeescript"}, {"conf", "conf"}, {"cpp", "c++"},
    {"cr", "crystal"}, {"cs", "c#"}, {"css", "css"}, {"csv", "csv"},
    {"cu", "cuda"}, {"cuh", "cuda"}, {"cxx", "c++"}, {"d", "d"},
    {"dart", "dart"}, {"diff", "diff"}, {"dts", "devicetree"},
    {"dtsi", "devicetree"}, {"el", "emacs-lisp"}, {"erl", "erlang"},
    {"ex", "elixir"}, {"exs", "elixir"}, {"f", "fortran"},
    {"f90", "fortran"}, {"f95", "fortran"}, {"fs", "f#"},
    {"glsl", "glsl"}, {"go", "go"}, {"gradle", "gradle"},
    {"graphql", "graphql"}, {"groovy", "groovy"}, {"h", "c"},
    {"hh", "c++"}, {"hpp", "c++"}, {"hrl", "erlang"},
    {"hs", "haskell"}, {"htm", "html"}, {"html", "html"},
    {"hxx", "c++"}, {"inc", "c"}, {"ini", "ini"}, {"inl", "c++"},
    {"ipynb", "jupyter"}, {"java", "java"}, {"jl", "julia"},
    {"jq", "jq"}, {"js", "javascript"}, {"json", "json"},
    {"jsonl", "json"}, {"jsx", "javascript"}, {"kt", "kotlin"},
    {"kts", "kotlin"}, {"l", "lex"}, {"less", "less"},
    {"lisp", "common-lisp"}, {"ll", "llvm"}, {"lua", "lua"},
    {"m", "objective-c"}, {"m4", "m4"}, {"mak", "makefile"},
    {"markdown", "markdown"}, {"md", "markdown"}, {"mjs", "javascript"},
    {"mk", "makefile"}, {"ml", "ocaml"}, {"mli", "ocaml"},
    {"mm", "objective-c++"}, {"nasm", "assembly"}, {"nim", "nim"},
    {"nix", "nix"}, {"pas", "pascal"}, {"patch", "diff"},
    {"php", "php"}, {"pl", "perl"}, {"pm", "perl"}, {"po", "gettext"},
    {"pod", "pod"}, {"pp", "puppet"}, {"properties", "properties"},
    {"proto", "protobuf"}, {"ps1", "powershell"}, {"py", "python"},
    {"pyi", "python"}, {"pyx", "cython"}, {"r", "r"}, {"rake", "ruby"},
    {"rb", "ruby"}, {"rkt", "racket"}, {"rs", "rust"},
    {"rst", "restructuredtext"}, {"s", "assembly"}, {"sass", "sass"},
    {"scala", "scala"}, {"scm", "scheme"}, {"scss", "scss"},
    {"sh", "shell"}, {"sol", "solidity"}, {"sql", "sql"},
    {"sv", "systemverilog"}, {"svelte", "svelte"}, {"svg", "svg"},
    {"swift", "swift"}, {"t", "perl"}, {"tcl", "tcl"}, {"tex", "tex"},
    {"texi", "texinfo"}, {"tf", "terraform"}, {"toml", "toml"},
    {"ts", "typescript"}, {"tsx", "typescript"}, {"txt", "text"},
    {"v", "verilog"}, {"vb", "visual-basic"}, {"vhd", "vhdl"},
    {"vhdl", "vhdl"}, {"vim", "vim"}, {"vue", "vue"},
    {"xhtml", "html"}, {"xml", "xml"}, {"y", "yacc"}, {"yaml", "yaml"},
    {"yml", "yaml"}, {"zig", "zig"}, {"zsh", "shell"}
};

static const char *
find(const struct lang *table, size_t n_table, const char *key, size_t n)
{
    size_t i;

    for (i = 0; i < n_table; i++) {
        if (strlen(table[i].key) == n && memcmp(table[i].key, key, n) == 0)
            return table[i].name;
    }
    return NULL;
}

/* The same without regard to case, for .PY or .HTML. */
static const char *
find_folded(const struct lang *table, size_t n_table, const char *key,
            size_t n)
{
    size_t i;

    for (i = 0; i < n_table; i++) {
        if (strlen(table[i].key) == n
            && strncasecmp(table[i].key, key, n) == 0)
            return table[i].name;
    }
    return NULL;
}

const char *
lang_of_path(const char *path, size_t n)
{
    const size_t n_names = sizeof(by_name) / sizeof(*by_name);
    const size_t n_ext = sizeof(by_extension) / sizeof(*by_extension);
    const char *slash = memrchr(path, '/', n), *dot, *found;

    if (slash) {
        n -= (size_t)(slash + 1 - path);
        path = slash + 1;
    }
    found = find(by_name, n_names, path, n);
    dot = memrchr(path, '.', n);
    if (found || !dot || dot == path)
        return found;
    n -= (size_t)(dot + 1 - path);
    found = find(by_extension, n_ext, dot + 1, n);
    return found ? found : find_folded(by_extension, n_ext, dot + 1, n);
}
