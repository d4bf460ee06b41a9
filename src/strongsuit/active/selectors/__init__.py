"""Selectors: `select(key, candidates, b) -> Selection`, a rule a file, options keyword-only.

| rule | module | chooses |
| --- | --- | --- |
| `uniform` | `uniform` | rows at random |
| `top_k`, `power` | `top_k` | the largest scores, or rows drawn in proportion to a power of them |
| `k_center` | `k_center` | the row farthest from labelled and chosen rows, again and again |
| `k_center_product` | `k_center_product` | the same with a product of two distances |
| `blend` | `blend` | a weighted mean of score, distance and sparsity |
| `lcmd`, `kmeans_pp` | `clusters` | in the heaviest cluster the farthest row; or rows drawn by squared distance |
| `max_det` | `max_det` | the row of largest conditional variance |
| `bait` | `bait` | the row that lowers the pool's summed variance most |
| `frank_wolfe` | `frank_wolfe` | rows whose weighted embeddings sum to the pool's |
| `badge` | `badge` | rows of large and differing gradients of a softmax layer |
| `bait_classes`, `bait_fast` | `fisher` | the rows that lower the expected loss of a softmax layer most |
| `batch_bald` | `joint` | the rows whose labels together tell most about the models |
| `k_center_divergence` | `divergence` | the row whose class probabilities differ most from all chosen ones |
| `falcun` | `falcun` | rows drawn by doubt and difference in probabilities |
| `galaxy` | `galaxy` | the middle of the stretch where a class must begin |
| `feature_mixing` | `feature_mixing` | one row from each cluster of those that a small step flips |
| `herding` | `herding` | the rows that cover the pool best, doubtful rows first where these weigh |
| `cover`, `dcom` | `cover` | the rows whose surroundings hold most rows not covered yet |
| `typical` | `typical` | the most typical row of each cluster without labels |
| `nearest_to_centres`, `cluster_margin` | `representatives` | rows that stand for clusters |

All keep four promises: distinct available rows, min(b, usable rows) of them; a row whose score or embedding is not
finite is never chosen (`degraded` says "nan_rows"), and if there is no other, `NoFiniteScores` is raised; ties are
broken by the key, never by the order of rows; what a rule could not decide is said in `degraded`, never papered over.
"""
