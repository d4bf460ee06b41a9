"""`strongsuit campaign`: durable labelling from the command line, a function a verb.

The modules of the verbs load what they need when they are called, so that `status` starts at once.
"""

from __future__ import annotations

import typer

from strongsuit.cli.campaign import (
    asking,
    create,
    demo,
    following,
    labelstudio,
    reading,
    rows,
    running,
    serving,
    steering,
    stored,
)

VERBS = {
    "demo": demo.demo,
    "create": create.create,
    "ask": asking.ask,
    "tell": asking.tell,
    "skip": rows.skip,
    "fail": rows.fail,
    "revise": rows.revise,
    "exclude": rows.exclude,
    "restore": rows.restore,
    "queue": rows.queue,
    "amend": steering.amend,
    "status": reading.status,
    "why": rows.why,
    "report": reading.report,
    "export": reading.export,
    "import": stored.import_journal,
    "verify": reading.verify,
    "close": steering.close,
    "reopen": steering.reopen,
    "list": stored.list_campaigns,
    "fork": stored.fork,
    "delete": stored.delete,
    "run": running.run,
    "serve": serving.serve,
    "mlflow": following.mlflow,
}

app = campaign = typer.Typer(
    help="Durable labelling: a journal of what was asked and answered, which survives crashes, people and releases."
    "\n\nExample: strongsuit campaign create alloys --pool pool.csv --key id --target strength",
    no_args_is_help=True,
)
for _name, _verb in VERBS.items():
    app.command(_name)(_verb)
app.command("suggest", hidden=True)(asking.ask)
app.add_typer(serving.people, name="people")
app.add_typer(labelstudio.app, name="labelstudio")
