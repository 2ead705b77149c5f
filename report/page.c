#include "report/page.h"

#include "report/html.h"
#include "report/outfile.h"

static void put_lines(FILE *out, const char *const *lines)
{
    for (; *lines; lines++) {
        fputs(*lines, out);
    }
}

// Nothing may be loaded or run but this style and this script, whatever a feed has written.
static void put_policy(FILE *out)
{
    fprintf(out,
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
            "img-src data:; style-src '%s'; script-src '%s'; base-uri 'none'; "
            "form-action 'none'\">\n",
            page_style_digest, page_script_digest);
}

static void put_title(const struct page *page)
{
    const struct period *now = &page->period[PAGE_NOW];

    fputs("<title>", page->out);
    html_name(page->out, page->def->name);
    fputs(": ", page->out);
    page_put_length(page->out, now->days);
    fputs(", ", page->out);
    html_days_iso(page->out, now->first_day, now->last_day);
    fputs("</title>\n", page->out);
}

static void put_html_head(const struct page *page)
{
    FILE *out = page->out;

    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n", out);
    fputs(OUTFILE_PAGE_MARK TALLY_VERSION "\">\n", out);
    put_policy(out);
    fputs("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n",
          out);
    put_title(page);
    fputs("<style>", out);
    put_lines(out, page_style);
    fputs("</style>\n</head>\n", out);
}

bool page_write(struct page *page, FILE *out, struct tally_err *err)
{
    page->out = out;
    put_html_head(page);
    fputs("<body>\n<main>\n", out);
    page_put_head(page);
    page_put_figures(page);
    if (!page_put_charts(page, err) || !page_put_multiples(page, err)) {
        return false;
    }
    page_put_table(page);
    if (!page_put_windows(page, err)) {
        return false;
    }
    page_put_foot(page);
    fputs("</main>\n<script>", out);
    put_lines(out, page_script);
    fputs("</script>\n</body>\n</html>\n", out);
    return true;
}
