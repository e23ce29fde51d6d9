"""The stages of the pipeline, one package per DVC stage, in the order in which data flows through them.

Importing it, which Python does before any stage, gives all x86-64 processors with AVX2 one arithmetic, whatever their
vendor and their extensions: each library would choose other kernels on another processor, which round differently.
A library reads its variables when it is loaded.

Python looks for garbage less often: libraries make hundreds of thousands of objects that all stay.
"""

import gc
import os
from pathlib import Path

_CPU = Path("/proc/cpuinfo")
os.environ |= {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # torch's convolutions
    "MKL_CBWR": "COMPATIBLE",  # torch's matrix products
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy's and SciPy's
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "NUMBA_CPU_NAME": "haswell",
    "OPENCV_IPP": "disabled",
    # Sums also depend on the number of threads: stages work in processes, and training sets torch's threads itself.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # or it says in every process that IPP is disabled
if _CPU.is_file() and "avx512vl" in _CPU.read_text(encoding="utf-8", errors="replace"):
    os.environ["OPENCV_CPU_DISABLE"] = "AVX512-SKX"  # where there is none to disable, OpenCV says so each time
gc.set_threshold(200_000, 20, 20)
