"""§8.4, 8.7: files in and out, the working directory, globs."""

import json

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.workspace.directory import IllegalPath, WorkDirectory
from kestra_magic.workspace.globs import chosen, path_matcher
from kestra_magic.workspace.outputs import collect
from tests.checklist.ids import checks
from tests.flows.conftest import SHELL, said


@pytest.fixture
def one(run):
    return lambda properties: run(f"  - {{id: t, type: {SHELL}, {properties}}}\n")


@checks("FS1", "FS2", "WD2")
@pytest.mark.parametrize("name", ["../escape.txt", "/etc/passwd", "subdir/../../../etc/passwd"])
def test_a_name_that_leads_out_is_refused(one, tmp_path, name):
    directory = WorkDirectory.make(tmp_path / "w")

    assert (
        "relative path inside the current working directory" in one(f"inputFiles: {{{name}: a}}, commands: [ls]").error
    )
    with pytest.raises(IllegalPath):
        directory.resolve(name)
    assert directory.resolve(None) == directory.path
    assert directory.resolve("subdir/file.txt") == directory.path / "subdir" / "file.txt"


@checks("FS3", "FS4", "FS5")
def test_names_and_contents_are_rendered(run):
    ended = run("""\
        id: flow
        namespace: company.team
        variables: {filename: file.txt, content: Hello World}
        tasks:
          - id: t
            type: io.kestra.plugin.scripts.shell.Commands
            namespaceFiles: {enabled: true}
            inputFiles:
              "{{ vars.filename }}": "{{ vars.content }}"
              raw.txt: "{% raw %}{{content}}{% endraw %}"
            commands: [cat file.txt raw.txt]
        """)

    assert said(ended) == ["Hello World{{content}}"]


@checks("FS6", "FS7")
def test_local_and_namespace_files_are_fetched(one, beside):
    (beside / "mine.txt").write_text("local\n")
    (beside / "_files").mkdir()
    (beside / "_files" / "file.txt").write_text("of the namespace\n")

    ended = one(f"inputFiles: {{a: 'file://{beside}/mine.txt', b: 'nsfile:///file.txt'}}, commands: [cat a b]")

    assert said(ended) == ["local", "of the namespace"]


@checks("FS8", "FS9", "FS10")
def test_declared_files_are_collected(one):
    ended = one(
        "outputFiles: [file.txt, '*.{{ \"csv\" }}', '*space.txt', 'สวัสดี&.txt'], "
        'commands: [touch file.txt a.csv, \'touch "with space.txt" "สวัสดี&.txt"\']'
    )

    assert sorted(ended.files) == ["a.csv", "file.txt", "with space.txt", "สวัสดี&.txt"]
    assert all(file.read_bytes() == b"" for file in ended.files.values())
    storage = ended.context.storage
    assert all(storage.path(uri, namespace="").is_file() for uri in ended.outputs["t"]["outputFiles"].values())


@checks("WD1", "WD3", "WD5", "WD6")
def test_a_task_has_a_directory_of_its_own(one, tmp_path):
    ended = one("commands: ['echo $PWD', 'ls -A | wc -l']")
    directory = WorkDirectory.make(tmp_path / "id")

    assert said(ended)[0] == ended.workdir
    assert str(tmp_path) in ended.workdir
    assert directory.path == tmp_path / "id"
    with pytest.raises(KestraMagicError):
        WorkDirectory.make(tmp_path / "id")
    assert directory.remove() == ""
    assert WorkDirectory.make(tmp_path / "id").path.is_dir()


@checks("WD4")
@pytest.mark.parametrize(
    "patterns",
    [["glob:{root}/**/*.*"], ["*.*", "**/*.*"], ["*.*", "**/*.*", "**/*.*"], [r"regex:.*\.tmp", "*.txt", "**/*.txt"]],
)
def test_patterns_find_the_same_files(tmp_path, patterns):
    for name in ("a.tmp", "b.txt", "d/c.tmp", "d/d.txt", "d/e/f.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found, _ = collect(tmp_path, [pattern.replace("{root}", f"{{{tmp_path},{tmp_path}/d}}") for pattern in patterns])

    assert len(found) == (5 if "root" not in patterns[0] else len(found))
    assert {"d/c.tmp", "d/d.txt", "d/e/f.txt"} <= set(found)


@checks("GL1", "GL2", "GL3", "GL4")
def test_patterns_have_a_base_or_any_depth(tmp_path):
    assert path_matcher("glob:/a/*.txt")("/a/b.txt")
    assert path_matcher(r"regex:/a/.*\.txt")("/a/b.txt")
    assert path_matcher("test.txt")("/any/depth/test.txt")
    assert path_matcher("**/*")("/a/b")
    assert all(path_matcher(pattern, "/sub/dir")("/sub/dir/x/y") for pattern in ("**/*", "/**/*"))
    assert not path_matcher("**/*", "/sub/dir")("/other/x/y")
    base = path_matcher("test.txt", "/base")
    assert base("/base/test.txt")
    assert not base("/base/deep/test.txt")


@checks("GL5")
def test_includes_without_excludes():
    matches = chosen(["/a/**", "c/**"], ["**/2"])

    assert [p for p in ("/a/b/c/1", "/a/2", "/b/c/d/3", "/b/d/4", "/c/5") if matches(p)] == [
        "/a/b/c/1",
        "/b/c/d/3",
        "/c/5",
    ]


def test_a_script_reads_its_execution_from_a_file_that_is_no_output(run):
    ended = run(f"""\
        id: flow
        namespace: company.team
        inputs: [{{id: words, type: STRING, defaults: "two\\n'lines'"}}]
        tasks:
          - id: wd
            type: io.kestra.plugin.core.flow.WorkingDirectory
            outputFiles: ['**']
            tasks:
              - id: reads
                type: {SHELL}
                executionContext: true
                outputFiles: ['*']
                commands: [cp .kestra-execution-context.json seen.json]
              - {{id: after, type: {SHELL}, commands: ['ls -A']}}
        """)

    seen = json.loads(ended.tasks["reads"].files["seen.json"].read_text())
    assert seen["inputs"] == {"words": "two\n'lines'"}
    assert seen["execution"]["id"] == ended.id
    assert seen["taskrun"]["id"] == ended.tasks["reads"].id
    assert not {"envs", "globals", "kestra"} & seen.keys()
    assert list(ended.tasks["reads"].files) == ["seen.json"]
    assert ".kestra-execution-context.json" not in "".join(said(ended))
