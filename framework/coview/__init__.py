"""coview: one self-supervised-learning question across image, text and audio.

The public names are imported on first use (PEP 562), so that ``import coview`` costs nothing and a plugin's
module, which needs only ``coview.hookimpl``, does not drag torch in.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from coview.api.augmentations import measure_augmentations as measure_augmentations
    from coview.api.augmentations import preview_augmentations as preview_augmentations
    from coview.api.comparisons import compare_runs as compare_runs
    from coview.api.comparisons import run_comparison as run_comparison
    from coview.api.estimates import estimate as estimate
    from coview.api.recipes import load_recipe as load_recipe
    from coview.api.recipes import recipe_diff as recipe_diff
    from coview.api.resources import fetch_resource as fetch_resource
    from coview.api.runs import embed as embed
    from coview.api.runs import evaluate_encoder as evaluate_encoder
    from coview.api.runs import evaluate_run as evaluate_run
    from coview.api.runs import export as export
    from coview.api.runs import load_run as load_run
    from coview.api.runs import run as run
    from coview.api.runs import search as search
    from coview.compare.report.write import ComparisonReport as ComparisonReport
    from coview.data.atomic import replacing as replacing
    from coview.data.augmentation import Augmentation as Augmentation
    from coview.data.augmentation import BatchAugmentation as BatchAugmentation
    from coview.data.augmentation import ContextAugmentation as ContextAugmentation
    from coview.data.augmentation import PreparedAhead as PreparedAhead
    from coview.data.augmentation import Replayable as Replayable
    from coview.data.batch_rng import BatchRng as BatchRng
    from coview.data.cache import data_folder as data_folder
    from coview.data.cached_arrays import cached_arrays as cached_arrays
    from coview.data.class_folders import FileKind as FileKind
    from coview.data.class_folders import FileListing as FileListing
    from coview.data.class_folders import split_listing as split_listing
    from coview.data.content_version import content_version as content_version
    from coview.data.dataset import Dataset as Dataset
    from coview.data.dataset import HasContext as HasContext
    from coview.data.dataset import HasJudgedPairs as HasJudgedPairs
    from coview.data.dataset import HasNegatives as HasNegatives
    from coview.data.dataset import HasNotes as HasNotes
    from coview.data.dataset import HasSeveralValues as HasSeveralValues
    from coview.data.dataset import KnowsGroups as KnowsGroups
    from coview.data.dataset import KnowsIds as KnowsIds
    from coview.data.dataset import KnowsLabels as KnowsLabels
    from coview.data.dataset import KnowsPresent as KnowsPresent
    from coview.data.dataset import KnowsUnreadable as KnowsUnreadable
    from coview.data.dataset import ReadsModalities as ReadsModalities
    from coview.data.dataset import StreamsShards as StreamsShards
    from coview.data.download import debian_files as debian_files
    from coview.data.download import pypi_file as pypi_file
    from coview.data.evenly import evenly as evenly
    from coview.data.file_lock import file_lock as file_lock
    from coview.data.generators import seeded as seeded
    from coview.data.hub_dataset import HubDataset as HubDataset
    from coview.data.hub_rows import HubRows as HubRows
    from coview.data.joined_rows import joined_rows as joined_rows
    from coview.data.judged_pairs import Pairs as Pairs
    from coview.data.modality import FileReader as FileReader
    from coview.data.modality import FinishesOnDevice as FinishesOnDevice
    from coview.data.modality import HasLengths as HasLengths
    from coview.data.modality import Modality as Modality
    from coview.data.modality import ReadsFiles as ReadsFiles
    from coview.data.modality import ReadsTyped as ReadsTyped
    from coview.data.modality import SummarisesValues as SummarisesValues
    from coview.data.modality import Uncollates as Uncollates
    from coview.data.packed_texts import PackedTexts as PackedTexts
    from coview.data.parquet_store import ParquetStore as ParquetStore
    from coview.data.picture_grid import picture_grid as picture_grid
    from coview.data.remarks import RemarksOn as RemarksOn
    from coview.data.resources import resource_folder as resource_folder
    from coview.data.rng import Rng as Rng
    from coview.data.sample import Negative as Negative
    from coview.data.sample import Sample as Sample
    from coview.data.sampler import Rows as Rows
    from coview.data.sampler import Sampler as Sampler
    from coview.data.shard_store import TarStore as TarStore
    from coview.data.split import check_split as check_split
    from coview.data.split import seeded_split as seeded_split
    from coview.data.split import split_notes as split_notes
    from coview.data.split_column import rows_by_split as rows_by_split
    from coview.data.split_column import table_splits as table_splits
    from coview.data.streamed_file import StreamedFile as StreamedFile
    from coview.data.streamed_shards import StreamedShards as StreamedShards
    from coview.data.structured_batch import StructuredBatch as StructuredBatch
    from coview.data.table_file import Table as Table
    from coview.data.table_file import TableRow as TableRow
    from coview.data.table_file import read_table as read_table
    from coview.data.table_listing import TableOfFiles as TableOfFiles
    from coview.data.table_listing import class_order as class_order
    from coview.data.table_listing import file_listing as file_listing
    from coview.data.table_paths import NamedFiles as NamedFiles
    from coview.data.table_paths import table_files as table_files
    from coview.data.tar_files import TarFiles as TarFiles
    from coview.data.tar_files import cut_off_notes as cut_off_notes
    from coview.data.tar_files import tar_files as tar_files
    from coview.data.text_file import read_text as read_text
    from coview.data.token_mask import Hidden as Hidden
    from coview.data.token_mask import Mask as Mask
    from coview.data.token_mask import TokenLayout as TokenLayout
    from coview.data.token_mask import TokenMask as TokenMask
    from coview.data.value_readers import file_readers as file_readers
    from coview.errors import CoviewError as CoviewError
    from coview.errors import RecipeError as RecipeError
    from coview.errors import SampleError as SampleError
    from coview.errors import few as few
    from coview.evaluate.cka import cka as cka
    from coview.evaluate.cross_modal_subject import CrossModalSubject as CrossModalSubject
    from coview.evaluate.encoder_subject import EncoderSubject as EncoderSubject
    from coview.evaluate.evaluator import ChecksData as ChecksData
    from coview.evaluate.evaluator import CrossModalEvaluator as CrossModalEvaluator
    from coview.evaluate.evaluator import EncoderEvaluator as EncoderEvaluator
    from coview.evaluate.evaluator import Evaluator as Evaluator
    from coview.evaluate.evaluator import KnownData as KnownData
    from coview.evaluate.evaluator import ReadsSomeRows as ReadsSomeRows
    from coview.evaluate.features import Features as Features
    from coview.evaluate.features import FeatureSplit as FeatureSplit
    from coview.evaluate.result import Result as Result
    from coview.evaluate.result import measured_kind as measured_kind
    from coview.experiment.augmentation.measure import Measured as Measured
    from coview.experiment.augmentation.strength import Strength as Strength
    from coview.experiment.estimate.estimate import Estimate as Estimate
    from coview.experiment.run import Run as Run
    from coview.experiment.search import Found as Found
    from coview.experiment.search import Hit as Hit
    from coview.model.context import TakesContext as TakesContext
    from coview.model.decoder import Decoder as Decoder
    from coview.model.decoder import DecoderInput as DecoderInput
    from coview.model.decoder import TakesBatch as TakesBatch
    from coview.model.encoder import ChecksBatch as ChecksBatch
    from coview.model.encoder import Encoder as Encoder
    from coview.model.encoder import Encoding as Encoding
    from coview.model.encoder import ExportsPooled as ExportsPooled
    from coview.model.encoder import FitsToData as FitsToData
    from coview.model.encoder import HasLayers as HasLayers
    from coview.model.encoder import HasOwnProjection as HasOwnProjection
    from coview.model.encoder import HasOwnScale as HasOwnScale
    from coview.model.encoder import PartOfModel as PartOfModel
    from coview.model.encoder import PooledTransformer as PooledTransformer
    from coview.model.encoder import ProjectsInLayers as ProjectsInLayers
    from coview.model.encoder import SeesExample as SeesExample
    from coview.model.hidden_tokens import HiddenTokens as HiddenTokens
    from coview.model.kept_tokens import KeptTokens as KeptTokens
    from coview.model.layers import stacked_layers as stacked_layers
    from coview.model.masked_encoder import HasPretrainingHead as HasPretrainingHead
    from coview.model.masked_encoder import TakesMask as TakesMask
    from coview.model.masked_encoder import TrainsMaskToken as TrainsMaskToken
    from coview.model.meta_device import on_meta_device as on_meta_device
    from coview.model.patch_encoding import Patches as Patches
    from coview.model.positions import sine_positions as sine_positions
    from coview.model.shows_tokens import DrawsTokens as DrawsTokens
    from coview.model.shows_tokens import NamesTokens as NamesTokens
    from coview.model.shows_tokens import TokenPictures as TokenPictures
    from coview.model.target import RestoresInput as RestoresInput
    from coview.model.target import Sees as Sees
    from coview.model.target import Target as Target
    from coview.model.target import TargetInput as TargetInput
    from coview.model.transformer import load_transformer as load_transformer
    from coview.model.transformer import pooled_by_first_token as pooled_by_first_token
    from coview.model.transformer_part import TransformerPart as TransformerPart
    from coview.model.views import Views as Views
    from coview.plugins.callback import Callback as Callback
    from coview.plugins.callback import EndContext as EndContext
    from coview.plugins.callback import RunContext as RunContext
    from coview.plugins.callback import StepContext as StepContext
    from coview.plugins.component import in_one_line as in_one_line
    from coview.plugins.discovery import load_plugins as load_plugins
    from coview.plugins.duration import Duration as Duration
    from coview.plugins.duration import TrainingLength as TrainingLength
    from coview.plugins.home import expanded as expanded
    from coview.plugins.hookspecs import API as API
    from coview.plugins.hookspecs import hookimpl as hookimpl
    from coview.plugins.hub import hub_or_cache as hub_or_cache
    from coview.plugins.hub import no_progress_bar as no_progress_bar
    from coview.plugins.library_factory import library_factory as library_factory
    from coview.plugins.library_factory import library_member as library_member
    from coview.plugins.library_refusal import library_refusal as library_refusal
    from coview.plugins.model_source import ModelSource as ModelSource
    from coview.plugins.model_source import folder_or_hub_id as folder_or_hub_id
    from coview.plugins.model_source import model_source as model_source
    from coview.plugins.nearest import did_you_mean as did_you_mean
    from coview.plugins.registrar import Registrar as Registrar
    from coview.plugins.registry import Registry as Registry
    from coview.recipe.abilities import FindsModalities as FindsModalities
    from coview.recipe.abilities import FindsSplits as FindsSplits
    from coview.recipe.abilities import HasBatchForm as HasBatchForm
    from coview.recipe.abilities import ReadsEachStep as ReadsEachStep
    from coview.recipe.abilities import SaysWhetherDeterministic as SaysWhetherDeterministic
    from coview.recipe.abilities import SaysWhetherTrained as SaysWhetherTrained
    from coview.recipe.abilities import WorksInEncoder as WorksInEncoder
    from coview.recipe.logit_scale import LogitScale as LogitScale
    from coview.recipe.needs import NEGATIVE as NEGATIVE
    from coview.recipe.needs import DeclaresNeeds as DeclaresNeeds
    from coview.recipe.needs import Needs as Needs
    from coview.recipe.recipe import Recipe as Recipe
    from coview.recipe.snapshot import flatten as flatten
    from coview.train.schedule import Moment as Moment
    from coview.train.schedule import Schedule as Schedule

_HOME = {
    "API": "coview.plugins.hookspecs",
    "Augmentation": "coview.data.augmentation",
    "BatchAugmentation": "coview.data.augmentation",
    "BatchRng": "coview.data.batch_rng",
    "Callback": "coview.plugins.callback",
    "ChecksBatch": "coview.model.encoder",
    "ChecksData": "coview.evaluate.evaluator",
    "ComparisonReport": "coview.compare.report.write",
    "ContextAugmentation": "coview.data.augmentation",
    "CoviewError": "coview.errors",
    "CrossModalEvaluator": "coview.evaluate.evaluator",
    "CrossModalSubject": "coview.evaluate.cross_modal_subject",
    "Dataset": "coview.data.dataset",
    "DeclaresNeeds": "coview.recipe.needs",
    "Decoder": "coview.model.decoder",
    "DecoderInput": "coview.model.decoder",
    "DrawsTokens": "coview.model.shows_tokens",
    "Duration": "coview.plugins.duration",
    "Encoder": "coview.model.encoder",
    "EncoderEvaluator": "coview.evaluate.evaluator",
    "EncoderSubject": "coview.evaluate.encoder_subject",
    "Encoding": "coview.model.encoder",
    "EndContext": "coview.plugins.callback",
    "Estimate": "coview.experiment.estimate.estimate",
    "Evaluator": "coview.evaluate.evaluator",
    "ExportsPooled": "coview.model.encoder",
    "FeatureSplit": "coview.evaluate.features",
    "Features": "coview.evaluate.features",
    "FileKind": "coview.data.class_folders",
    "FileListing": "coview.data.class_folders",
    "FileReader": "coview.data.modality",
    "FindsModalities": "coview.recipe.abilities",
    "FindsSplits": "coview.recipe.abilities",
    "FinishesOnDevice": "coview.data.modality",
    "FitsToData": "coview.model.encoder",
    "Found": "coview.experiment.search",
    "HasBatchForm": "coview.recipe.abilities",
    "HasContext": "coview.data.dataset",
    "HasJudgedPairs": "coview.data.dataset",
    "HasLayers": "coview.model.encoder",
    "HasLengths": "coview.data.modality",
    "HasNegatives": "coview.data.dataset",
    "HasNotes": "coview.data.dataset",
    "HasOwnProjection": "coview.model.encoder",
    "HasOwnScale": "coview.model.encoder",
    "HasPretrainingHead": "coview.model.masked_encoder",
    "HasSeveralValues": "coview.data.dataset",
    "Hidden": "coview.data.token_mask",
    "HiddenTokens": "coview.model.hidden_tokens",
    "Hit": "coview.experiment.search",
    "HubDataset": "coview.data.hub_dataset",
    "HubRows": "coview.data.hub_rows",
    "KeptTokens": "coview.model.kept_tokens",
    "KnownData": "coview.evaluate.evaluator",
    "KnowsGroups": "coview.data.dataset",
    "KnowsIds": "coview.data.dataset",
    "KnowsLabels": "coview.data.dataset",
    "KnowsPresent": "coview.data.dataset",
    "KnowsUnreadable": "coview.data.dataset",
    "LogitScale": "coview.recipe.logit_scale",
    "Mask": "coview.data.token_mask",
    "Measured": "coview.experiment.augmentation.measure",
    "Modality": "coview.data.modality",
    "ModelSource": "coview.plugins.model_source",
    "Moment": "coview.train.schedule",
    "NEGATIVE": "coview.recipe.needs",
    "NamedFiles": "coview.data.table_paths",
    "NamesTokens": "coview.model.shows_tokens",
    "Needs": "coview.recipe.needs",
    "Negative": "coview.data.sample",
    "PackedTexts": "coview.data.packed_texts",
    "Pairs": "coview.data.judged_pairs",
    "ParquetStore": "coview.data.parquet_store",
    "PartOfModel": "coview.model.encoder",
    "Patches": "coview.model.patch_encoding",
    "PooledTransformer": "coview.model.encoder",
    "PreparedAhead": "coview.data.augmentation",
    "ProjectsInLayers": "coview.model.encoder",
    "ReadsEachStep": "coview.recipe.abilities",
    "ReadsFiles": "coview.data.modality",
    "ReadsModalities": "coview.data.dataset",
    "ReadsSomeRows": "coview.evaluate.evaluator",
    "ReadsTyped": "coview.data.modality",
    "Recipe": "coview.recipe.recipe",
    "RecipeError": "coview.errors",
    "Registrar": "coview.plugins.registrar",
    "Registry": "coview.plugins.registry",
    "RemarksOn": "coview.data.remarks",
    "Replayable": "coview.data.augmentation",
    "RestoresInput": "coview.model.target",
    "Result": "coview.evaluate.result",
    "Rng": "coview.data.rng",
    "Rows": "coview.data.sampler",
    "Run": "coview.experiment.run",
    "RunContext": "coview.plugins.callback",
    "Sample": "coview.data.sample",
    "SampleError": "coview.errors",
    "Sampler": "coview.data.sampler",
    "SaysWhetherDeterministic": "coview.recipe.abilities",
    "SaysWhetherTrained": "coview.recipe.abilities",
    "Schedule": "coview.train.schedule",
    "Sees": "coview.model.target",
    "SeesExample": "coview.model.encoder",
    "StepContext": "coview.plugins.callback",
    "StreamedFile": "coview.data.streamed_file",
    "StreamedShards": "coview.data.streamed_shards",
    "StreamsShards": "coview.data.dataset",
    "Strength": "coview.experiment.augmentation.strength",
    "StructuredBatch": "coview.data.structured_batch",
    "SummarisesValues": "coview.data.modality",
    "Table": "coview.data.table_file",
    "TableOfFiles": "coview.data.table_listing",
    "TableRow": "coview.data.table_file",
    "TakesBatch": "coview.model.decoder",
    "TakesContext": "coview.model.context",
    "TakesMask": "coview.model.masked_encoder",
    "TarFiles": "coview.data.tar_files",
    "TarStore": "coview.data.shard_store",
    "Target": "coview.model.target",
    "TargetInput": "coview.model.target",
    "TokenLayout": "coview.data.token_mask",
    "TokenMask": "coview.data.token_mask",
    "TokenPictures": "coview.model.shows_tokens",
    "TrainingLength": "coview.plugins.duration",
    "TrainsMaskToken": "coview.model.masked_encoder",
    "TransformerPart": "coview.model.transformer_part",
    "Uncollates": "coview.data.modality",
    "Views": "coview.model.views",
    "WorksInEncoder": "coview.recipe.abilities",
    "cached_arrays": "coview.data.cached_arrays",
    "check_split": "coview.data.split",
    "cka": "coview.evaluate.cka",
    "class_order": "coview.data.table_listing",
    "compare_runs": "coview.api.comparisons",
    "content_version": "coview.data.content_version",
    "cut_off_notes": "coview.data.tar_files",
    "data_folder": "coview.data.cache",
    "debian_files": "coview.data.download",
    "did_you_mean": "coview.plugins.nearest",
    "embed": "coview.api.runs",
    "estimate": "coview.api.estimates",
    "evaluate_encoder": "coview.api.runs",
    "evaluate_run": "coview.api.runs",
    "evenly": "coview.data.evenly",
    "expanded": "coview.plugins.home",
    "export": "coview.api.runs",
    "fetch_resource": "coview.api.resources",
    "few": "coview.errors",
    "file_listing": "coview.data.table_listing",
    "file_lock": "coview.data.file_lock",
    "file_readers": "coview.data.value_readers",
    "flatten": "coview.recipe.snapshot",
    "folder_or_hub_id": "coview.plugins.model_source",
    "hookimpl": "coview.plugins.hookspecs",
    "hub_or_cache": "coview.plugins.hub",
    "in_one_line": "coview.plugins.component",
    "joined_rows": "coview.data.joined_rows",
    "library_factory": "coview.plugins.library_factory",
    "library_member": "coview.plugins.library_factory",
    "library_refusal": "coview.plugins.library_refusal",
    "load_plugins": "coview.plugins.discovery",
    "load_recipe": "coview.api.recipes",
    "load_run": "coview.api.runs",
    "load_transformer": "coview.model.transformer",
    "measure_augmentations": "coview.api.augmentations",
    "measured_kind": "coview.evaluate.result",
    "model_source": "coview.plugins.model_source",
    "no_progress_bar": "coview.plugins.hub",
    "on_meta_device": "coview.model.meta_device",
    "picture_grid": "coview.data.picture_grid",
    "pooled_by_first_token": "coview.model.transformer",
    "preview_augmentations": "coview.api.augmentations",
    "pypi_file": "coview.data.download",
    "read_table": "coview.data.table_file",
    "read_text": "coview.data.text_file",
    "recipe_diff": "coview.api.recipes",
    "replacing": "coview.data.atomic",
    "resource_folder": "coview.data.resources",
    "rows_by_split": "coview.data.split_column",
    "run": "coview.api.runs",
    "run_comparison": "coview.api.comparisons",
    "search": "coview.api.runs",
    "seeded": "coview.data.generators",
    "seeded_split": "coview.data.split",
    "sine_positions": "coview.model.positions",
    "split_listing": "coview.data.class_folders",
    "split_notes": "coview.data.split",
    "stacked_layers": "coview.model.layers",
    "table_files": "coview.data.table_paths",
    "table_splits": "coview.data.split_column",
    "tar_files": "coview.data.tar_files",
}

__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'coview' has no attribute {name!r}") from None
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
