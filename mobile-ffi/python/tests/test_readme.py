"""What the README tells a newcomer to write works as it stands there."""

import asyncio
import contextlib
import io
import re
from pathlib import Path
from unittest import mock

from harness import Case

README = Path(__file__).parents[2] / "README.md"


class Readme(Case):
    async def test_the_first_edit_of_the_readme_is_synced(self):
        server = self.serve()
        [script] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
        for stands, here in (
            ("http://127.0.0.1:8080", server.url),
            ("YOUR-CODE", server.admin("invite", "rep")),
            ("/tmp/roadbook-phone", str(self.dir / "phone")),
        ):
            self.assertIn(stands, script)
            script = script.replace(stands, here)
        names, said = {}, io.StringIO()
        # The test has a loop already: what the script would run is awaited in it.
        with mock.patch.object(asyncio, "run", lambda work: names.setdefault("work", work)):
            exec(compile(script, "README.md", "exec"), names)
        with contextlib.redirect_stdout(said):
            await names["work"]
        self.assertEqual(said.getvalue().splitlines(), ["Receipt.SAVED", "['Åse Østergård']", "Receipt.MERGED"])
