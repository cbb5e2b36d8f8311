/* The options that pyxis gives srun, as its args.c has them from 0.8 to 0.24 and in its
 * words: what the plugin container.c and the check srun-options.c share. Who includes this
 * has defined complain(FORMAT, ...), which gets one line.
 *
 * Stricter than pyxis: no second --container-mounts (Slurm hands the node the last one
 * alone), no mount flag that enroot-mount does not know (a bind mount ignores it), no name
 * with "=", no registry's image.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE, MOUNTS, WORKDIR, NAME, SAVE, HOME, REMAP_ROOT, ENTRYPOINT, ENTRYPOINT_LOG, WRITABLE, ENV, UNSHARE, KINDS };

/* Each with its value or, for a flag, what it says; and with the first release, 0.SINCE. */
static const struct row {
	const char *name, *value, *flag;
	int kind, since;
} rows[] = {
	{ "container-image", "[USER@][REGISTRY#]IMAGE[:TAG]|PATH", NULL, IMAGE, 1 },
	{ "container-mounts", "SRC:DST[:FLAGS][,SRC:DST...]", NULL, MOUNTS, 1 },
	{ "container-workdir", "PATH", NULL, WORKDIR, 1 },
	{ "container-name", "NAME", NULL, NAME, 1 },
	{ "container-save", "PATH", NULL, SAVE, 7 },
	{ "container-mount-home", NULL, "yes", HOME, 3 },
	{ "no-container-mount-home", NULL, "no", HOME, 3 },
	{ "container-remap-root", NULL, "yes", REMAP_ROOT, 4 },
	{ "no-container-remap-root", NULL, "no", REMAP_ROOT, 4 },
	{ "container-entrypoint", NULL, "yes", ENTRYPOINT, 8 },
	{ "no-container-entrypoint", NULL, "no", ENTRYPOINT, 8 },
	{ "container-entrypoint-log", NULL, "yes", ENTRYPOINT_LOG, 20 },
	{ "container-writable", NULL, "yes", WRITABLE, 11 },
	{ "container-readonly", NULL, "no", WRITABLE, 11 },
	{ "container-env", "NAME[,NAME...]", NULL, ENV, 15 },
	{ "container-unshare", "NS[,NS...]", NULL, UNSHARE, 24 },
};
enum { ROWS = sizeof rows / sizeof *rows };

/* What was asked for: the text of an option, or what its flag says. */
static char *asked[KINDS];

#define fail(...) (complain("pyxis: " __VA_ARGS__), -1)

/* Is TEXT one of WORDS, which ends with NULL? */
static int is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(text, *words))
			return 1;
	return 0;
}

/* enroot's bin/enroot-mount.c, with + for the commas between them. */
static int check_flags(char *flags, const char *option)
{
	static const char *const known[] = {
		"async", "atime", "bind", "dev", "diratime", "dirsync", "exec", "iversion", "lazytime", "loud", "mand",
		"noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "nomand", "norelatime",
		"nostrictatime", "nosuid", "private", "rbind", "relatime", "remount", "ro", "rprivate", "rshared",
		"rslave", "runbindable", "rw", "shared", "silent", "slave", "strictatime", "suid", "sync", "unbindable",
		"auto", "defaults", "group", "noauto", "nofail", "nogroup", "noowner", "nouser", "nousers", "owner",
		"user", "users", "x-create=dir", "x-create=file", "x-create=auto", "x-move", "x-detach", NULL
	};
	char *flag;

	while ((flag = strsep(&flags, "+")))
		if (!is_one_of(flag, known))
			return fail("--container-mounts: enroot-mount knows no flag \"%s\": %s", flag, option);
	return 0;
}

static int check_mount(char *option, const char *list)
{
	char *whole = strdup(option), *rest = option, *source = strsep(&rest, ":"), *target = source;
	int rc = 0;

	(void)list;
	if (rest)
		target = strsep(&rest, ":");
	if (!*source || !*target)
		rc = fail("--container-mounts: invalid format: %s", whole);
	else if (!strspn(source, "./") && strcmp(source, "tmpfs") && strcmp(source, "umount"))
		rc = fail("mount source must be a relative path, an absolute path, \"tmpfs\" or \"umount\"");
	else if (!strspn(target, "./"))
		rc = fail("mount target must be a relative path or an absolute path");
	else if (rest && *rest)
		rc = check_flags(rest, whole);
	free(whole);
	return rc;
}

static int check_name(char *env, const char *list)
{
	return *env && !strchr(env, '=') ? 0 : fail("--container-env: invalid format: %s", list);
}

static int check_namespace(char *ns, const char *list)
{
	static const char *const known[] = { "net", "ipc", "uts", NULL };

	(void)list;
	if (!*ns)
		return fail("--container-unshare: empty namespace argument");
	return is_one_of(ns, known) ? 0 : fail("--container-unshare: unknown namespace '%s'", ns);
}

/* Each entry of a list with commas, for which there is no escaping. */
static int check_list(const char *list, int (*check)(char *entry, const char *list))
{
	char *copy = strdup(list), *rest = copy, *entry;
	int rc = 0;

	while (!rc && (entry = strsep(&rest, ",")))
		rc = check(entry, list);
	free(copy);
	return rc;
}

static int check_value(const struct row *row, const char *text)
{
	static const char *const flags[] = { "auto", "create", "exec", "no_exec", NULL };
	const char *colon = strchr(text, ':');

	switch (row->kind) {
	case IMAGE:
		return strspn(text, "./") ? 0 : fail("--container-image: an image of a registry, not a path: %s", text);
	case MOUNTS:
		return check_list(text, check_mount);
	case ENV:
		return check_list(text, check_name);
	case UNSHARE:
		return check_list(text, check_namespace);
	case NAME:
		if (*text == ':')
			return fail("--container-name: empty name");
		if (colon && colon[1] && !is_one_of(colon + 1, flags))
			return fail("--container-name: flag must be \"auto\", \"create\", \"exec\" or \"no_exec\"");
		return 0;
	case SAVE:
		return text[strlen(text) - 1] == '/' ? fail("--container-save: target is a directory") : 0;
	}
	return 0;
}

/* Remembers an option. Slurm may call with the same value twice. */
static int take(const struct row *row, const char *text)
{
	if (!row->value)
		text = row->flag;
	else if (!text || !*text)
		return fail("--%s: argument required", row->name);
	if (row->value && check_value(row, text))
		return -1;
	if (asked[row->kind] && strcmp(asked[row->kind], text)) {
		if (row->value)
			return fail("--%s specified multiple times", row->name);
		return row->kind == WRITABLE ? fail("both --container-writable and --container-readonly were specified") :
			fail("both --%s and --no-%s were specified", row->name + 3 * !strncmp(row->name, "no-", 3),
			     row->name + 3 * !strncmp(row->name, "no-", 3));
	}
	if (!asked[row->kind])
		asked[row->kind] = strdup(text);
	return 0;
}

/* Without a container there is nothing to ask for. pyxis says so and starts the program
 * outside of any; returns how many it would ignore. */
static int ignored(void)
{
	int count = 0;

	if (asked[IMAGE] || asked[NAME])
		return 0;
	for (int i = 0; i < ROWS; i++)
		if (asked[rows[i].kind] && (rows[i].value || !strcmp(asked[rows[i].kind], rows[i].flag))) {
			complain("pyxis: ignoring --%s because neither --container-image nor --container-name is set", rows[i].name);
			count++;
		}
	return count;
}
