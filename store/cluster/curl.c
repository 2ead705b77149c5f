#include "store/cluster/curl.h"

#include <dlfcn.h>
#include <string.h>

static bool find_function(const struct curl *curl, const char *name, void *slot,
                          struct tally_err *err)
{
    void *found = dlsym(curl->library, name);

    if (!found) {
        return err_set(err, TALLY_NOT_FOUND, "libcurl has no %s", name);
    }
    // ISO C has no cast from an object's address to a function's.
    memcpy(slot, &found, sizeof found);
    return true;
}

static bool find_functions(struct curl *curl, struct tally_err *err)
{
#define CURL_FIND(name) find_function(curl, "curl_" #name, &curl->name, err) &&
    return CURL_FUNCTIONS(CURL_FIND) true;
#undef CURL_FIND
}

bool curl_load(struct curl *curl, struct tally_err *err)
{
    // It stays loaded: what it brought along may have threads or handlers of its own.
    *curl = (struct curl){.library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)};
    if (!curl->library) {
        return err_set(err, TALLY_NOT_FOUND, "libcurl is not installed (package libcurl4)");
    }
    if (!find_functions(curl, err)) {
        dlclose(curl->library);
        return false;
    }
    if (curl->global_init(CURL_GLOBAL_ALL) != CURLE_OK) {
        dlclose(curl->library);
        return err_set(err, TALLY_NO_MEMORY, "libcurl does not start");
    }
    return true;
}

void curl_unload(struct curl *curl)
{
    curl->global_cleanup();
    dlclose(curl->library);
}
