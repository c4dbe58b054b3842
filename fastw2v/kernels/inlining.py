"""Helpers that are only ever compiled into kernels: Numba makes no machine code of them on their own.

By default it would optimise each helper, and translate it to machine code, by itself and once more in every kernel.
"""

from typing import Any

from numba._dynfunc import make_function
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class _HelperLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The code of a helper, in LLVM's language, for the libraries of its callers."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _HelperLowering(NativeLowering):  # type: ignore[misc]
    """Numba's pass from typed code to LLVM's language, but for a function that nobody calls."""

    _name = "helper_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lower a helper, and let kernels find it."""
        state.library = _HelperLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        description = lowered.fndesc
        no_address = 0
        function = make_function(
            description.lookup_module(), description.qualname, "an inlined helper", no_address, lowered.env, ()
        )
        state.targetctx.insert_user_function(function, description, [state.library])
        state.reload_init.extend(state.library._reload_init)
        state["cr"] = lowered._replace(cfunc=function)
        return True


class HelperCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's compiler, for its `pipeline_class`, with the lowering of helpers."""

    def define_pipelines(self) -> list[Any]:
        """Return Numba's pipeline with one pass replaced."""
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes[:] = [
            (_HelperLowering if step is NativeLowering else step, why) for step, why in pipeline.passes
        ]
        pipeline.finalize()
        return [pipeline]
