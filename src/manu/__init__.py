"""Reference replication of MANU: modality-aware neuron pruning for unlearning in multimodal models."""

__version__ = "0.1.0"
