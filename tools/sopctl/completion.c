/* Completion for bash, from the table of commands. */
#include "commands.h"
#include "help.h"
#include "status.h"

#include <string.h>

static void put_name(void *arg, const struct option_spec *option)
{
	FILE *to = arg;

	if (option->letter != '\0')
		fprintf(to, " -%c", option->letter);
	fprintf(to, " --%s", option->name);
}

/* The words that the option takes, as a branch of `case $command:$previous`. */
struct branch {
	FILE *to;
	const struct command *command;
};

static void put_words(void *arg, const struct option_spec *option)
{
	const struct branch *branch = arg;

	if (option->argument == NULL)
		return;
	fprintf(branch->to, "\t%s:--%s", branch->command->name, option->name);
	if (option->letter != '\0')
		fprintf(branch->to, " | %s:-%c", branch->command->name, option->letter);
	fputs(") words='", branch->to);
	for (const char *at = option->words != NULL ? option->words : ""; *at != '\0'; at++)
		fputc(*at == '|' ? ' ' : *at, branch->to);
	fprintf(branch->to, "' value=yes%s ;;\n", option->words == NULL ? " files=yes" : "");
}

static void put_options_of(FILE *to)
{
	fputs("\tcase $command in\n", to);
	for (size_t i = 0; commands[i] != NULL; i++) {
		fprintf(to, "\t%s) options='", commands[i]->name);
		each_option(commands[i], put_name, to);
		fputs("' ;;\n", to);
	}
	fputs("\tesac\n", to);
}

static void put_values_of(FILE *to)
{
	fputs("\tcase $command:$previous in\n", to);
	for (size_t i = 0; commands[i] != NULL; i++) {
		struct branch branch = { to, commands[i] };

		each_option(commands[i], put_words, &branch);
	}
	fputs("\tesac\n", to);
}

static int run_completion(struct invocation *invocation)
{
	FILE *to = invocation->out;

	if (invocation->argument_count > 0 && strcmp(invocation->arguments[0], "bash") != 0)
		return complain(invocation->err, "completion", SOP_UNSUPPORTED,
				"there is a completion for bash, none for '%s'",
				invocation->arguments[0]);
	fputs("# bash completion for sopctl, made by `sopctl completion bash`\n"
	      "_sopctl()\n{\n"
	      "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
	      "\tlocal command=${COMP_WORDS[1]} options='' words='' value=no files=no\n"
	      "\tlocal commands='",
	      to);
	for (size_t i = 0; commands[i] != NULL; i++)
		fprintf(to, "%s%s", i == 0 ? "" : " ", commands[i]->name);
	fputs("'\n\tCOMPREPLY=()\n"
	      "\tif ((COMP_CWORD == 1)); then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -W \"$commands --help --version\" -- \"$current\")\n"
	      "\t\treturn\n\tfi\n",
	      to);
	put_options_of(to);
	put_values_of(to);
	fputs("\tif [[ $command == help ]]; then\n\t\twords=$commands value=yes\n\tfi\n"
	      "\tif [[ $value == yes && $files == no ]]; then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
	      "\telif [[ $current == -* ]]; then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
	      "\telse\n"
	      "\t\tcompopt -o filenames 2>/dev/null\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
	      "\tfi\n}\n"
	      "complete -F _sopctl sopctl\n",
	      to);
	return EXIT_OK;
}

const struct command command_completion = {
	.name = "completion",
	.summary = "print the completion for bash",
	.help = "Prints what bash needs to complete commands, options and files: . <(sopctl completion)",
	.arguments = "[bash]",
	.arguments_max = 1,
	.run = run_completion,
};
