/* source_kind.c - tables of paths.
 *
 * An entry that ends in '/' is a folder, anywhere or, with '^', at the root;
 * others are the last part of a path, in which a '*' stands for any bytes.
 */
#include "text/source_kind.h"

#include <string.h>

#define MINIFIED_MEAN 110

static bool
is_name(const char *entry, const char *name, size_t n)
{
    const char *star = strchr(entry, '*');
    size_t head, tail;

    if (star == NULL)
        return strlen(entry) == n && memcmp(entry, name, n) == 0;
    head = (size_t)(star - entry);
    tail = strlen(star + 1);
    return n >= head + tail && memcmp(name, entry, head) == 0
           && memcmp(name + n - tail, star + 1, tail) == 0;
}

/* The entry of the list that the path has. */
static const char *
find_name(const char *const *list, const char *path, size_t n)
{
    const char *slash = n ? memrchr(path, '/', n) : NULL;
    const char *name = slash ? slash + 1 : path;

    n -= (size_t)(name - path);
    for (; *list && n > 0; list++)
        if (((*list)[0] == name[0] || (*list)[0] == '*')
            && is_name(*list, name, n))
            return *list;
    return NULL;
}

static const char *
find_folder(const char *const *list, const char *path, size_t n)
{
    const char *p = path, *end = path + n, *slash;

    while ((slash = memchr(p, '/', (size_t)(end - p))) != NULL) {
        for (const char *const *entry = list; *entry; entry++) {
            const char *word = *entry + (**entry == '^');
            size_t len;

            if (*p != *word || (**entry == '^' && p != path))
                continue;
            len = strlen(word);
            if (len <= (size_t)(end - p) && memcmp(p, word, len) == 0)
                return *entry;
        }
        p = slash + 1;
    }
    return NULL;
}

static const char *
find(const char *const *folders, const char *const *names, const char *path,
     size_t n)
{
    const char *found = find_folder(folders, path, n);

    return found ? found : find_name(names, path, n);
}

const char *
source_vendored(const char *path, size_t n)
{
    static const char *const folders[] = {
        "vendor/", "vendors/", "Vendor/", "vendored/", "_vendor/",
        "third_party/", "third-party/", "thirdparty/", "ThirdParty/",
        "Third_Party/", "ThirdPart/", "3rdparty/", "3rd_party/",
        "3rd-party/", "3rdParty/", "3rdPart/", "extern/", "Extern/",
        "external/", "External/", "externals/", "Externals/", "^deps/",
        "^dependencies/", "^Dependencies/", "node_modules/",
        "bower_components/", "jspm_packages/", "xvba_modules/", "Godeps/",
        "Pods/", "Carthage/", "site-packages/", ".yarn/releases/",
        ".yarn/plugins/", ".yarn/sdks/", ".yarn/versions/",
        ".yarn/unplugged/", "gradle/wrapper/", ".mvn/wrapper/", "MathJax/",
        "ace-builds/", "bootstrap-datepicker/", "extjs/", "select2/",
        "admin_media/", "Sparkle/", "Crashlytics.framework/",
        "Fabric.framework/", "Realm.framework/", "RealmSwift.framework/",
        NULL
    };
    static const char *const names[] = {
        "gradlew", "gradlew.bat", "mvnw", "mvnw.cmd", "config.guess",
        "config.sub", "ltmain.sh", "install-sh", "depcomp", "mkinstalldirs",
        "ylwrap", "libtool.m4", "ltoptions.m4", "ltsugar.m4",
        "ltversion.m4", "lt~obsolete.m4", "dotnet-install.ps1",
        "dotnet-install.sh", "cpplint.py", "erlang.mk", "waf", "jquery.js",
        "jquery-*.js", "jquery.*.js", "jquery-*.css", "bootstrap.js",
        "bootstrap.css", "bootstrap.bundle.js", "bootstrap-*.css",
        "bootstrap-theme.css", "bootstrap.less", "font-awesome.css",
        "fontawesome.css", "normalize.css", "normalize.scss",
        "animate.css", "bulma.css", "materialize.css", "materialize.js",
        "foundation.css", "skeleton.css", "prototype.js", "mootools*.js",
        "dojo.js", "MochiKit.js", "yui*.js", "ckeditor.js", "tiny_mce*.js",
        "Chart.js", "angular.js", "angular-*.js", "d3.js", "d3.v*.js",
        "react.js", "react-dom.js", "modernizr*.js", "knockout-*.js",
        "html5shiv.js", "cordova.js", "cordova-*.js", "fuelux.js",
        "bootbox.js", "pdf.worker.js", "octicons.css", "shCore.js",
        "shBrush*.js", "shLegacy.js", "*-vsdoc.js", "*.intellisense.js",
        NULL
    };

    return find(folders, names, path, n);
}

const char *
source_lock(const char *path, size_t n)
{
    static const char *const names[] = {
        "package-lock.json", "npm-shrinkwrap.json", "yarn.lock",
        "pnpm-lock.yaml", "bun.lock", "bun.lockb", "deno.lock",
        "Cargo.lock", "Cargo.toml.orig", "poetry.lock", "Pipfile.lock",
        "pdm.lock", "uv.lock", "pixi.lock", "conda-lock.yml",
        "Gemfile.lock", "gems.locked", "composer.lock", "go.sum",
        "go.work.sum", "Gopkg.lock", "glide.lock", "mix.lock",
        "Podfile.lock", "Cartfile.resolved", "Package.resolved",
        "packages.lock.json", "paket.lock", "project.assets.json",
        "pubspec.lock", "flake.lock", "gradle.lockfile",
        "buildscript-gradle.lockfile", "rebar.lock", "shard.lock",
        "stack.yaml.lock", "cabal.project.freeze", "esy.lock",
        "*.esy.lock", "MODULE.bazel.lock", "mise.lock", "mise.*.lock",
        ".terraform.lock.hcl", "Manifest.toml", "JuliaManifest.toml",
        "conan.lock", "*.opam.locked", ".pnp.*", NULL
    };

    return find_name(names, path, n);
}

const char *
source_minified(const char *path, size_t n)
{
    static const char *const names[] = {
        "*.min.js", "*-min.js", "*.min.mjs", "*.min.css", "*-min.css",
        "*.js.map", "*.mjs.map", "*.css.map", NULL
    };

    return find_name(names, path, n);
}

bool
source_minified_lines(const char *path, size_t n, uint64_t bytes,
                      uint64_t lines)
{
    static const char *const names[] = { "*.js", "*.mjs", "*.cjs", "*.css",
                                         NULL };

    return (lines == 0 || bytes / lines > MINIFIED_MEAN)
           && find_name(names, path, n) != NULL;
}

const char *
source_generated_name(const char *path, size_t n)
{
    static const char *const folders[] = { "__generated__/", "htmlcov/",
                                           ".idea/", NULL };
    static const char *const names[] = {
        "*.pb.go", "*.pb.gw.go", "*.pb.cc", "*.pb.cpp", "*.pb.h",
        "*.pb.swift", "*.grpc.swift", "*.pb.dart", "*.pbgrpc.dart",
        "*.pbenum.dart", "*.pbjson.dart", "*.pbobjc.h", "*.pbobjc.m",
        "*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb.js", "*_pb.d.ts",
        "*_pb.ts", "*_pb.rb", "*_twirp.rb", "*.pb-c.c", "*.pb-c.h",
        "zz_generated.*.go", "*.g.dart", "*.freezed.dart",
        "*.designer.cs", "*.Designer.cs", "*.designer.vb",
        "*.Designer.vb", "*.feature.cs", "*.g.cs", "*.g.i.cs", "*.nib",
        "*.xcworkspacedata", "*.xcuserstate", "*.zep.c", "*.zep.h",
        "*_tlb.pas", "*_TLB.pas", ".secrets.baseline", "aclocal.m4", NULL
    };

    return find(folders, names, path, n);
}

const char *
source_documentation(const char *path, size_t n)
{
    static const char *const folders[] = {
        "^docs/", "^doc/", "^Docs/", "^Doc/", "documentation/",
        "Documentation/", "javadoc/", "Javadoc/", "groovydoc/", "^man/",
        "^Man/", "^examples/", "^Examples/", "^demo/", "^demos/", "^Demo/",
        "^samples/", "^sample/", "^Samples/", "inst/doc/", NULL
    };
    static const char *const names[] = {
        "README", "README.*", "Readme", "Readme.*", "readme", "readme.*",
        "CHANGELOG", "CHANGELOG.*", "CHANGES", "CHANGES.*", "CHANGE",
        "CONTRIBUTING", "CONTRIBUTING.*", "COPYING", "COPYING.*",
        "INSTALL", "INSTALL.*", "LICENSE", "LICENSE.*", "LICENCE",
        "LICENCE.*", "License", "License.*", "CITATION", "CITATION.*",
        "CITATIONS", NULL
    };

    return find(folders, names, path, n);
}
