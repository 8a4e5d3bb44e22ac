"""Parser, help, man page and completion know the same commands and options, and so does the list that was promised."""
import pathlib
import re
import subprocess

from sopctl import case, contains, equal, main

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "tools" / "sopctl"
PROMISED = ("info stores schema get scan count put del create drop rename load import export dump exec backup restore verify "
            "gc compact stats top bench doctor shell completion man version help").split()


def commands(box):
    """All commands, from the overview."""
    return re.findall(r"^  (\w+) ", box.run("help").out, re.M)


def options(text):
    return set(re.findall(r"--[a-z][a-z-]*", text))


def help_options(box, command):
    text = box.run("help", command).out
    return set(re.findall(r"^ +(?:-\w, )? *(--[a-z-]+)", text[text.index("\nOptions\n"):], re.M))


def man_section(page, command):
    return page.split(f"\n.SS {command}\n")[1].split("\n.SS ")[0].replace("\\-", "-")


@case
def what_was_promised_is_there(box):
    equal(sorted(commands(box)), sorted(PROMISED))


@case
def help_man_and_completion_agree(box):
    page = box.run("man").out
    completion = box.run("completion", "bash").out
    for command in commands(box):
        known = help_options(box, command)
        assert "--help" in known, command
        branch = re.search(rf"^\t{command}\) options='([^']*)' ;;$", completion, re.M)
        equal(options(branch.group(1)), known, f"completion of {command}")
        section = man_section(page, command)
        found = {f"--{name}" for name in re.findall(r"\\fB--([a-z-]+)\\fR", section)}
        equal(found | {"--help"}, known, f"man page of {command}")


@case
def every_option_of_the_sources_is_documented(box):
    """Tables of options that no command is given would be in none of the three."""
    documented = set()
    for command in commands(box):
        documented |= help_options(box, command)
    for source in sorted(SOURCES.glob("*.[ch]")):
        for name in re.findall(r'"([a-z][a-z-]*)",\s*\'.{1,2}\',\s*OPTION_', source.read_text()):
            assert f"--{name}" in documented, f"{source.name}: --{name}"


@case
def every_option_is_taken_by_the_parser(box):
    for command in commands(box):
        for option in help_options(box, command) - {"--help"}:
            found = box.run(command, option, "--help", code=None)
            assert "there is no option" not in found.err, found
        box.run(command, "--no-such-option", code=2)
        contains(box.run(command, "--help").out, f"usage: sopctl {command} ")


@case
def man_page_is_roff_without_complaints(box):
    page = box.path("sopctl.1", box.run("man").stdout)
    try:
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, timeout=60)
    except FileNotFoundError:
        return  # what it must hold is checked above
    equal(done.stderr.decode(), "")


@case
def completion_completes(box):
    script = box.path("completion", box.run("completion").stdout)

    def complete(*words):
        line = " ".join(f"'{word}'" for word in words)
        done = subprocess.run(["bash", "--norc", "-c", f". {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _sopctl; "
                               'printf "%s\\n" "${COMPREPLY[@]}"'], capture_output=True, timeout=60, cwd=box.folder)
        equal(done.stderr.decode(), "")
        return done.stdout.decode().split()

    equal(complete("sopctl", "sc"), ["schema", "scan"])
    equal(complete("sopctl", "scan", "--re"), ["--reverse"])
    equal(complete("sopctl", "scan", "-o", "json"), ["json", "jsonl"])
    equal(complete("sopctl", "help", "ver"), ["verify", "version"])
    equal(complete("sopctl", "scan", "compl"), ["completion"])  # a file of this folder


@case
def overview_without_words_is_an_error_and_asked_for_is_not(box):
    equal(box.run(code=2).out, "")
    contains(box.run("--help").out, "usage: sopctl COMMAND")
    contains(box.run("--version").out, "sopctl ")
    contains(box.run("staets", code=2).err, "did you mean 'stats'")
    box.run("help", "nothing", code=2)


main()
