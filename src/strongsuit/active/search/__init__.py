"""Rules that make one batch of what several strategies propose.

| rule | module | takes |
| --- | --- | --- |
| `vote` | `votes` | the rows that most strategies would choose |
| `rank_average` | `votes` | the rows of highest mean rank |
| `then` | `votes` | one strategy in the first rounds, another later |
| `autoal` | `autoal` | the rows of highest weighted rank, weights learned on labelled rows |
| `best_of_folds` | `best_of_folds` | the batch of the strategy whose picks were worth most on labelled rows |
| `albl` | `albl` | rows of strategies drawn by a bandit that accuracy pays |
| `tailor` | `tailor` | rows of strategies drawn by a bandit that rare classes pay |
| `select_al` | `select_al` | the batch of the strategy that suits the number of labels |
| `refine` | `refine` | the last strategy's choice among what the others choose of random parts, again and again |

Each is a `combine` of the table: `rule(key, parts, evidence, b) -> Selection`. None of them trains a model: what
`autoal` learns from is trained by `folds.py`; only its look ahead refits a last layer. Bandits learn from what they
recorded of earlier batches (`active/memory.py`), which only a session that lives on has.
"""
