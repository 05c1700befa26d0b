"""Carries out the plan of a command that creates nothing: rehearsed, without an event loop, or with one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.engine_client.blocking import BlockingClient
    from compose.engine_client.transport import Engine
    from compose.model.observed import Observed
    from compose.model.project import Project
    from compose.operations.session import Session
    from compose.planner.steps import Plan


def realise(
    plan: Plan, session: Session, client: BlockingClient, project: Project | None, name: str, observed: Observed
) -> int:  # fmt: skip
    """Apply a plan to its end; the exit code. Nothing is started for an empty one. Raises ComposeError."""
    if not plan.steps:
        return 0
    if session.dry_run:
        from compose.operations.rehearsal import rehearse

        return rehearse(session, [plan])

    from compose.operations.quick import apply_quickly
    from compose.operations.world import World

    world = World(name, project, observed)
    if apply_quickly(plan, session, client, world):
        return 0

    async def main(engine: Engine) -> int:
        from compose.operations.apply import apply_plan

        await apply_plan(plan, engine, world, session.progress, limit=session.parallel)
        return 0

    return session.run_async(client, main)
