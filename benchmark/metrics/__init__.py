"""Per-sample metrics, grouped into scorers that share their work; they never see a group."""

from benchmark.metrics.base import SCORERS, MetricSpec, Scorer, Unavailable
from benchmark.metrics.planning import (
    ScorerPlan,
    judged_by,
    make_scorer,
    metric_specs,
    plan_scorers,
)

_HERE = "benchmark.metrics."

#: Scorers whose judge can be chosen, and the kind of that judge.
_JUDGES = {
    "faces": "recogniser",
    "recognition": "reader",
    "recognition-brightness": "reader",
    "segmented": "segmenter",
}

for _name, _target, _summary, _metrics in (
    (
        "faces",
        "identity:Faces",
        "identity and detection by the judges of record",
        ("id_cosine", "id_gain", "id_switch", "tar", "tar_gain", "fmr", "detected"),
    ),
    ("psnr", "pyiqa_metrics:Psnr", "peak signal-to-noise ratio (pyiqa)", ("psnr",)),
    ("ssim", "fidelity:StructuralSimilarity", "structural similarity on RGB", ("ssim",)),
    (
        "conventions",
        "conventions:Conventions",
        "PSNR and SSIM as papers on low light print them",
        ("psnr_gtmean", "ssim_uniform"),
    ),
    ("ms_ssim", "pyiqa_metrics:MultiscaleSsim", "multi-scale SSIM (pyiqa)", ("ms_ssim",)),
    ("gmsd", "pyiqa_metrics:Gmsd", "gradient magnitude similarity deviation (pyiqa)", ("gmsd",)),
    ("fsim", "pyiqa_metrics:Fsim", "feature similarity (pyiqa)", ("fsim",)),
    ("vsi", "pyiqa_metrics:Vsi", "visual saliency similarity (pyiqa)", ("vsi",)),
    (
        "skin",
        "fidelity:SkinTone",
        "shift of the skin's typology angle",
        ("ita_shift", "ita_shift_abs"),
    ),
    ("delta_e", "fidelity:ColourDifference", "colour difference CIEDE2000", ("delta_e",)),
    ("lpips-squeeze", "perceptual:LpipsSqueeze", "LPIPS on SqueezeNet", ("lpips-squeeze",)),
    ("lpips-alex", "perceptual:LpipsAlex", "LPIPS on AlexNet", ("lpips-alex",)),
    ("lpips-vgg", "perceptual:LpipsVgg", "LPIPS on VGG-16", ("lpips-vgg",)),
    (
        "recognition",
        "recognition:Recognition",
        "answers of the reader of record",
        ("accuracy", "accuracy_gain", "accuracy_input", "accuracy_reference", "confidence"),
    ),
    (
        "recognition-brightness",
        "recognition:BeyondBrightness",
        "matched-brightness control of every output",
        ("accuracy_beyond_brightness",),
    ),
    (
        "segmented",
        "structure.segmented:Segmented",
        "vessels and lesions that the segmenter of record finds",
        (
            *("dice", "dice_gain", "hd95", "cldice"),
            *("vessel_false", "vessel_missed", "betti0_error"),
            *("microaneurysm_hallucination", "microaneurysm_omission"),
            *("exudate_hallucination", "exudate_omission"),
            *("lesion_hallucination", "lesion_omission", "lesion_omission_share"),
        ),
    ),
    (
        "textures",
        "structure.textures:Textures",
        "structure without a segmenter",
        ("lassim", "min_patch_structure", "sfrc_flag_rate"),
    ),
):
    _judge = _JUDGES.get(_name)
    SCORERS.add(_name, _HERE + _target, summary=_summary, metrics=_metrics, judge=_judge)

__all__ = [
    "SCORERS",
    "MetricSpec",
    "Scorer",
    "ScorerPlan",
    "Unavailable",
    "judged_by",
    "make_scorer",
    "metric_specs",
    "plan_scorers",
]
