"""What the suite stands on."""

from db.engines import Db
from db.redis import RedisConnections
from db.user import queries
from tests.conftest import MakeUser


async def test_a_test_s_user_sees_themselves_and_nobody_else(db: Db, make_user: MakeUser) -> None:
    anna, bob = await make_user(), await make_user()

    async with db.read("user", anna) as read:
        rows = await read.rows(queries.users_by_id(("email",)), keys=[anna.user_id, bob.user_id])

    assert [row.email for row in rows] == [f"{anna.user_id}@example.com"]


async def test_redis_answers(redis: RedisConnections) -> None:
    assert await redis.client.ping() is True
