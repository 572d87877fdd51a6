/* page_models.c - what a score is of, and whether that is what the run has. */
#include <string.h>

#include "report/page_parts.h"

static void
put_model(struct buf *b, const cJSON *models, const char *name,
          const char *label)
{
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(models, name);
    const cJSON *path = score_get(model, "path"), *id = score_get(model, "id");

    if (!cJSON_IsString(path) || !cJSON_IsString(id))
        return;
    buf_addf(b, "%s ", label);
    html_text(b, path->valuestring);
    buf_addc(b, ' ');
    html_id(b, id->valuestring);
}

/* Whether both are known, and are not the same. */
static bool
differ(const cJSON *id, const cJSON *of_run)
{
    return cJSON_IsString(id) && cJSON_IsString(of_run)
           && strcmp(id->valuestring, of_run->valuestring) != 0;
}

void
page_models(struct buf *b, const struct run_facts *run, const cJSON *models)
{
    const cJSON *files, *adapter;

    if (!models)
        return;
    buf_addstr(b, "<p class=sub>");
    put_model(b, models, "base", "Base");
    put_model(b, models, "adapter", ", adapter");
    put_model(b, models, "compare", ", other base");
    buf_addstr(b, "</p>\n");
    if (!run)
        return;
    files = cJSON_GetObjectItemCaseSensitive(run->manifest, "files");
    adapter = cJSON_GetObjectItemCaseSensitive(
        files, "adapter/adapter_model.safetensors");
    if (differ(score_get(models, "base.id"),
               run_get(run, "identity", "base_id")))
        page_note(b, "This score is of another base than the run's.");
    if (differ(score_get(models, "adapter.id"), adapter))
        page_note(b, "This score is of another adapter than the run ended "
                  "with.");
}
