"""The table of public sets: where each comes from, what its targets are, and which rows belong together.

`checksum` is the fingerprint of the typed table (see `table.fingerprint`), so a copy is accepted whatever its
format, and refused if one value differs.
"""

from __future__ import annotations

from dataclasses import dataclass

_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/"
_CC_BY = "CC BY 4.0 (the repository's licence for donated sets)"


@dataclass(frozen=True)
class Original:
    """A file at its home that can become our table: `names` are its columns as they stand there."""

    url: str
    separator: str  # a regular expression
    names: tuple[str, ...]
    header: bool = False
    drop_incomplete: bool = False  # rows with missing cells are not in our table


@dataclass(frozen=True)
class PublicSet:
    """A public table: features first, targets last; `groups` for the honest split. `task` is "regression", or
    "classification" where the one target names a class."""

    name: str
    rows: int
    targets: tuple[str, ...]
    checksum: str
    source: str
    licence: str = _CC_BY
    groups: tuple[str, ...] = ()
    original: Original | None = None  # None: its home offers Excel, an archive, or other digits
    task: str = "regression"


_ABALONE = "sex length diameter height whole_weight shucked_weight viscera_weight shell_weight rings"
_AIRFOIL = (
    "frequency_hz angle_of_attack_deg chord_length_m free_stream_velocity_ms "
    "suction_displacement_thickness_m sound_pressure_level_db"
)
_CARS = "mpg cylinders displacement horsepower weight acceleration model_year origin car_name"
_PROTEIN = "RMSD F1 F2 F3 F4 F5 F6 F7 F8 F9"
_WINE = (
    "fixed_acidity volatile_acidity citric_acid residual_sugar chlorides free_sulfur_dioxide "
    "total_sulfur_dioxide density ph sulphates alcohol quality"
)
_YACHT = (
    "longitudinal_position prismatic_coefficient length_displacement_ratio beam_draught_ratio "
    "length_beam_ratio froude_number residuary_resistance"
)
_MIX = "cement blast_furnace_slag fly_ash water superplasticizer coarse_aggregate fine_aggregate"


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _classes(name: str, rows: int, checksum: str, source: str) -> PublicSet:
    """A classification table, whose copies put the column `class` last."""
    return PublicSet(name, rows, ("class",), checksum, source, task="classification")


_ROWS = (
    PublicSet(
        "abalone", 4_177, ("rings",), "804303aa29581ff51859653fcedce2731fe5c84eb1983ca2fc21f1199a6fbaa1",
        "UCI 1, doi 10.24432/C55C7W",
        original=Original(_UCI + "abalone/abalone.data", ",", _names(_ABALONE)),
    ),
    PublicSet(
        "airfoil_self_noise", 1_503, ("sound_pressure_level_db",),
        "6167a4eba5287bbd563b75c12ebd310b7a4c3e80cf56b7705e26f007ca4253b4", "UCI 291, doi 10.24432/C5VW2C",
        groups=_names(_AIRFOIL)[1:5],  # 106 sweeps over frequency
        original=Original(_UCI + "00291/airfoil_self_noise.dat", r"\s+", _names(_AIRFOIL)),
    ),
    PublicSet(
        "auto_mpg", 392, ("mpg",), "ebba590e5ec6b871164dce174c8ca14cde4d9ea89d1cc1c493ce596e158aeca0",
        "UCI 9, doi 10.24432/C5859H",
        original=Original(_UCI + "auto-mpg/auto-mpg.data", r"\s+", _names(_CARS), drop_incomplete=True),
    ),
    PublicSet(
        "california_housing", 20_640, ("median_house_value",),
        "d331854d941ad699dfb8783e2fbf41ff75f77d5b6a473be0df39f99e15eb0405",
        "StatLib houses.zip (Pace and Barry 1997)", licence="not stated",
        groups=("longitude", "latitude"),  # blocks of one place
    ),
    PublicSet(
        "combined_cycle_power_plant", 9_568, ("electrical_output",),
        "36bdf2375de3ecc2a2cc369decad4f71f882a05e4fbbee9021a566103155e764", "UCI 294, doi 10.24432/C5002N",
    ),
    PublicSet(
        "concrete_strength", 1_030, ("compressive_strength",),
        "092dba3a04ba8ebfe1f4b3e1427162168ad5adb8cea00f6b77fb3810f5f4fba7", "UCI 165, doi 10.24432/C5PK67",
        groups=_names(_MIX),  # 427 mixes, many measured at several ages
    ),
    PublicSet(
        "energy_efficiency", 768, ("heating_load", "cooling_load"),
        "73abd5c999e842d6127535d86daa4ec17c2b5eeb1c0b2556bb3aee75e3524d0a", "UCI 242, doi 10.24432/C51307",
    ),
    PublicSet(
        "naval_propulsion", 11_934, ("compressor_decay", "turbine_decay"),
        "2e5a5a5d447e154d675208c3c83b4be7a8ddb39469030f9dd999476fca935c45", "UCI 316, doi 10.24432/C5K31K",
    ),
    PublicSet(
        "protein_structure", 45_730, ("RMSD",),
        "b9c41722f3b49a566284ce8d2d7a2ce139814b669e43be1c77f9faf61021a3a8", "UCI 265, doi 10.24432/C5QW3H",
        original=Original(_UCI + "00265/CASP.csv", ",", _names(_PROTEIN), header=True),
    ),
    PublicSet(
        "pw_linear_cart", 200, ("y",), "7161a935a428ebf6e7aead833481da4915078950e8ad29605827a4b09ab3984e",
        "simulated, Breiman et al. 1984; Weka collection, pwLinear", licence="not stated",
    ),
    PublicSet(
        "servo", 167, ("rise_time",), "0bd4f8c735a70f5ed490701047e93a3a561dc6eca98eb208856530a03f865cd5",
        "UCI 87, doi 10.24432/C5Q30F",
    ),
    PublicSet(
        "tetouan_power", 52_416, ("zone1_power", "zone2_power", "zone3_power"),
        "0fcfa88ae10219c4e288354bac0ce686e08f3a36bfa2754e86d747be11f81218", "UCI 849, doi 10.24432/C5B034",
        groups=("month",),  # a 10-minute series: whole months on one side
    ),
    PublicSet(
        "wine_quality_red", 1_599, ("quality",),
        "1db0581df42fbd859711ed3111cd5832110d1678f2420692ee19a92d8dfc30af", "UCI 186, doi 10.24432/C56S3T",
        original=Original(_UCI + "wine-quality/winequality-red.csv", ";", _names(_WINE), header=True),
    ),
    PublicSet(
        "yacht_hydrodynamics", 308, ("residuary_resistance",),
        "309566eedbe3dcd08aa9c82754416f27cac49eb8e7e3debda37dafe0275ca3f8", "UCI 243, doi 10.24432/C5XG7R",
        groups=_names(_YACHT)[:5],  # 22 hulls at 14 speeds each
        original=Original(_UCI + "00243/yacht_hydrodynamics.data", r"\s+", _names(_YACHT)),
    ),
    _classes(
        "letter", 20_000, "85499e152303caddddd08619489e0a5619ad077ab6fb1af1fcf4ef9fb78aaa16",
        "UCI 59, doi 10.24432/C5ZP40",
    ),
    _classes(
        "optdigits", 5_620, "d74d494b9480155248ff58faae7ae5d7bc622dcaf3a4696f393b637f3c546daa",
        "UCI 80, doi 10.24432/C50P49",
    ),
    _classes(
        "satimage", 6_435, "5cf39a1f849ea90de6caf21bd9c7bbb894fa3961cff54cbe23e92ea1a12086f7",
        "UCI 146, doi 10.24432/C55887",
    ),
    _classes(
        "segment", 2_310, "83c1d185d4abf57372ee72a98db35abfa0346d55826c46cab6caf359d3bfc724",
        "UCI 50, doi 10.24432/C5GP4N",
    ),
    _classes(
        "vehicle", 846, "85cdeb33f8f62a1e70bcacbdf45ca19ae9f066b3f15be88b565abfbacdcd2959",
        "UCI 149, doi 10.24432/C5HG6H",
    ),
    _classes(
        "wdbc", 569, "e9b9b6d29fe1ebc3124f56ec707da1eecb40cda1e79db73aef35a89bf663ba06",
        "UCI 17, doi 10.24432/C5DW2B",
    ),
)  # fmt: skip
PUBLIC_SETS: dict[str, PublicSet] = {row.name: row for row in _ROWS}
