/* Checks a command line of srun without a Slurm:
 *
 *   srun-options [OPTION...] [--] COMMAND...
 *   srun-options --help                        the options, one a line
 *
 * It ends with 0 and prints how many words in front are srun's, or with 255 and srun's or
 * pyxis' words. Of srun's own options it knows those that the scripts use; those of pyxis
 * are in container-options.h. LAB_PYXIS_VERSION=0.15, say, leaves out what came later.
 */
#include <getopt.h>

#define complain(...) (fprintf(stderr, "srun: error: " __VA_ARGS__), fputc('\n', stderr))
#include "container-options.h"

/* Words that begin so. Slurm's src/common/slurm_opt.c. */
static const char *const yes_no[] = { "0", "1", NULL };
static const char *const modes[] = { "append", "truncate", NULL };
static const char *const binds[] = { "none", "no", "sockets", "cores", "threads", "ldoms", "quiet", "verbose", NULL };

static const struct own {
	const char *name;
	int has_value;
	const char *const *words;
} own[] = {
	{ "cpu-bind", required_argument, binds },
	{ "export", required_argument, NULL },
	{ "gres", required_argument, NULL },
	{ "input", required_argument, NULL },
	{ "job-name", required_argument, NULL },
	{ "kill-on-bad-exit", optional_argument, yes_no },
	{ "label", no_argument, NULL },
	{ "mem", required_argument, NULL },
	{ "mpi", required_argument, NULL },
	{ "nodelist", required_argument, NULL },
	{ "nodes", required_argument, NULL },
	{ "ntasks", required_argument, NULL },
	{ "ntasks-per-node", required_argument, NULL },
	{ "open-mode", required_argument, modes },
	{ "output", required_argument, NULL },
	{ "overlap", no_argument, NULL },
	{ "wait", required_argument, NULL },
};
enum { OWN = sizeof own / sizeof *own };

int main(int argc, char **argv)
{
	const char *version = getenv("LAB_PYXIS_VERSION");
	int minor = version ? atoi(version + 2) : 24, known = 0, found, place;
	/* The last one is all zeros. */
	struct option options[OWN + ROWS + 1];

	memset(options, 0, sizeof options);
	for (int i = 0; i < OWN; i++)
		options[known++] = (struct option){ own[i].name, own[i].has_value, NULL, i };
	for (int i = 0; i < ROWS; i++)
		if (rows[i].since <= minor)
			options[known++] = (struct option){ rows[i].name, rows[i].value ? required_argument : no_argument, NULL, OWN + i };

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		for (int i = 0; i < known; i++)
			printf("      --%s%s\n", options[i].name, options[i].has_arg ? "=" : "");
		return 0;
	}
	/* The words that getopt prints begin with the program's name. */
	argv[0] = "srun";
	/* "+": the first word that is no option is the command. */
	for (int at = 1; (found = getopt_long(argc, argv, "+", options, &place)) != -1; at = optind) {
		if (found != '?' && strcspn(argv[at] + 2, "=") != strlen(options[place].name)) {
			complain("an abbreviation, which another release may take for something else: %s", argv[at]);
			return 255;
		}
		if (found == '?') {
			fprintf(stderr, "Try \"srun --help\" for more information\n");
			return 255;
		}
		if (found >= OWN) {
			if (take(&rows[found - OWN], optarg))
				return 255;
		} else if (own[found].has_value && optarg && own[found].words && !is_one_of(optarg, own[found].words)) {
			complain("Invalid --%s argument: %s", own[found].name, optarg);
			return 255;
		} else if (own[found].has_value == required_argument && !*optarg) {
			complain("Invalid --%s argument: it is empty", own[found].name);
			return 255;
		}
	}
	if (ignored())
		return 255;
	if (optind == argc) {
		complain("No command given to execute.");
		return 255;
	}
	printf("%d\n", optind - 1);
	return 0;
}
