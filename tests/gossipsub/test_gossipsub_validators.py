"""Validators as applications write them, right and wrong."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from peerloom.testing import Nodes, no_leaks, until
from peerloom_gossipsub import Gossipsub, Message, TopicHasValidator, Verdict

LIMIT_SECONDS = 30.0


async def accept(_):
    return Verdict.ACCEPT


async def verdict_of(verdict, _):
    return verdict


async def generator(_):
    yield Verdict.ACCEPT


class Judge:
    async def __call__(self, _):
        return Verdict.ACCEPT


async def pair(nodes, **settings):
    """The clients of Ann, who publishes, and Ben, who is subscribed; and what Ben hears."""
    ann, ben = await nodes(2, settings={"gossipsub": settings})
    heard = nodes.record(ben, Message)
    await Gossipsub(ben.client).subscribe("news")
    await nodes.connect(ann, ben)
    await Gossipsub(ann.client).wait_for_peers("news")
    return Gossipsub(ann.client), Gossipsub(ben.client), ben, heard


async def counts(node):
    return (await node.client.status())["plugins"]["gossipsub"]["report"]["counts"]


@pytest.mark.parametrize("answer", [None, True, "accept"])
async def test_a_validator_that_answers_without_a_verdict_has_ignored_the_message(answer, caplog):
    async def judge(message):
        return Verdict.ACCEPT if message.data == b"good" else answer

    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            at_ann, at_ben, ben, heard = await pair(nodes)
            async with at_ben.validate("news", judge):
                await at_ann.publish("news", b"bad")
                await until(lambda: counts(ben), lambda seen: seen.get("message ignore") == 1)
                await at_ann.publish("news", b"good")
                assert (await heard.next(Message)).data == b"good"
            assert (await counts(ben))["message whose validator failed"] == 1
            assert f"the validator of 'news' answered {answer!r}: expected a Verdict" in caplog.text


@pytest.mark.parametrize("wrong", [None, "accept", lambda _: Verdict.ACCEPT, generator, Judge])
async def test_a_validator_that_is_not_async_is_refused_at_once(wrong):
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()
        with pytest.raises(TypeError, match="validator must be an async function, not"):
            async with Gossipsub(node.client).validate("news", wrong):
                pass


@pytest.mark.parametrize(
    "right", [accept, Judge(), Judge().__call__, partial(verdict_of, Verdict.ACCEPT)]
)
async def test_whatever_is_async_may_judge(right):
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            at_ann, at_ben, _, heard = await pair(nodes)
            async with at_ben.validate("news", right):
                await at_ann.publish("news", b"good")
                assert (await heard.next(Message)).data == b"good"


async def test_a_second_validator_of_a_topic_is_refused_and_the_first_one_goes_on():
    async def reject(_):
        return Verdict.REJECT

    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            at_ann, at_ben, ben, _ = await pair(nodes)
            async with at_ben.validate("news", reject):
                with pytest.raises(TopicHasValidator, match="'news' have a validator already"):
                    async with at_ben.validate("news", accept):
                        pass
                await at_ann.publish("news", b"bad")
                await until(lambda: counts(ben), lambda seen: seen.get("message reject") == 1)
            async with at_ben.validate("news", accept):
                pass


async def test_leaving_the_block_after_the_node_has_stopped_hides_nothing():
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()

        async def validate():
            async with Gossipsub(node.client).validate("news", accept):
                await nodes.stop(node)
                raise KeyError("of the application")

        with pytest.raises(KeyError, match="of the application"):
            await validate()
