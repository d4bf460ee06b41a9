"""Rules that make one batch of what several strategies propose.

| rule | module | takes |
| --- | --- | --- |
| `vote` | `votes` | the rows that most strategies would choose |
| `rank_average` | `votes` | the rows of highest mean rank |
| `then` | `votes` | one strategy in the first rounds, another later |
| `autoal` | `autoal` | the rows of highest rank, strategies weighted by what their picks were worth on labels |
| `refine` | `refine` | the last strategy's choice among what the others choose of random parts, again and again |

Each is a `combine` of the table: `rule(key, parts, evidence, b) -> Selection`. None of them trains a model: what
`autoal` learns from is trained by `folds.py`; only its look ahead refits a last layer.
"""
