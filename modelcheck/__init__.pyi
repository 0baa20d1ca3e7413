from .attributions import attribute, attribution_methods
from .comparison import Comparison, TableComparison, compare
from .happymaps import render_happy_maps
from .interface import Interface
from .judgement import Criterion, Finding, Measured, Verdict, judge
from .measurement import measure
from .metrics.similarity import ssim, ssim_matrix
from .panel import Panel, TablePanel
from .recipe import Recipe
from .report import write_comparison, write_gallery
from .signature import Signature, TableSignature, read_record, read_signature
from .support.progress import progress_bar
from .table_recipe import TableRecipe
from .units import Unit

__version__: str

__all__ = [
    "Comparison",
    "Criterion",
    "Finding",
    "Interface",
    "Measured",
    "Panel",
    "Recipe",
    "Signature",
    "TableComparison",
    "TablePanel",
    "TableRecipe",
    "TableSignature",
    "Unit",
    "Verdict",
    "attribute",
    "attribution_methods",
    "compare",
    "judge",
    "measure",
    "progress_bar",
    "read_record",
    "read_signature",
    "render_happy_maps",
    "ssim",
    "ssim_matrix",
    "write_comparison",
    "write_gallery",
]
