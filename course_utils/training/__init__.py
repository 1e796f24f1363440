"""What all trainers of the course share: the loop, its precision and optimizers, the progress that a watcher sees."""

from .loop import BaseTrainingConfig, Loop, Plan
from .memory import check_memory, eased, memory_gb
from .optimizers import Muon, autocast, device_for, low_precision, optimizers
from .progress import Progress, own_folder, step_generator
