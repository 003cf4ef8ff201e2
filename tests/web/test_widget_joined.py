"""The widget's modules in one script: each in its scope, in the order in which they need each other, nothing else allowed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from warmline.web.widget.joined import join_scripts

SCRIPTS = {
    "app.js": 'import { Panel } from "./views/panel.js";\nimport { t } from "./models/texts.js";\n'
    "const name = 1;\nconsole.log(await Promise.resolve(new Panel().say(t(name))));\n",
    "views/panel.js": 'import { t, LIMIT } from "../models/texts.js";\n'
    "const name = 2;\nexport class Panel {\nsay(text) { return `${text} ${t(name)} ${LIMIT}`; }\n}\n",
    "models/texts.js": "const name = 3;\nexport const LIMIT = 7;\nexport function t(of) { return `t${of}${name}`; }\n",
    "unused.js": "export const x = 1;\n",
}


def test_the_joined_script_does_what_the_modules_do(tmp_path: Path) -> None:
    joined = join_scripts(SCRIPTS, "app.js")
    assert "import" not in joined
    assert "export" not in joined
    assert "const x" not in joined
    node = shutil.which("node")
    if node is None:
        pytest.skip("NO NODE: the joined script was not run; install Node 20 or newer")
    (tmp_path / "app.mjs").write_text(joined)
    done = subprocess.run([node, tmp_path / "app.mjs"], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "t13 t23 7\n"


@pytest.mark.parametrize(
    "script",
    [
        'import { a as b } from "./b.js";',
        'import * as b from "./b.js";',
        'import b from "./b.js";',
        "export default 1;",
        "export { a };",
        "export let a = 1;",
        'import { a } from "./missing.js";',
        'import { a } from "./app.js";',
    ],
)
def test_what_it_cannot_join_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match=r"app\.js|missing\.js"):
        join_scripts({"app.js": script + "\n", "b.js": "export const a = 1;\n"}, "app.js")
