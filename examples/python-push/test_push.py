#!/usr/bin/env python3
"""What the pusher does when something is not as before. Runs beside a cluster:

    scripts/ringway dev -- python3 examples/python-push/test_push.py
"""
import os
import secrets
import time
import unittest

from push import PublishError, Pusher, newest_key


class PusherTest(unittest.TestCase):
    def setUp(self):
        self.later = 0
        self.pusher = self.make()
        self.user = f"user-{secrets.token_hex(4)}"

    def make(self, locator=os.environ["LOCATOR_INTERNAL_URL"], key=newest_key(os.environ["RINGWAY_CLUSTER_KEYS"])):
        return Pusher(locator, key, "billing", clock=lambda: time.time() + self.later)

    def test_asks_the_locator_once_and_again_when_the_token_is_too_old(self):
        first = self.pusher.owner(self.user)
        self.assertIs(self.pusher.owner(self.user), first)
        self.later = 51
        self.assertIsNot(self.pusher.owner(self.user), first)

    def test_asks_again_when_the_node_refuses_the_token(self):
        self.pusher.owner(self.user)["token"] = self.pusher.token("another-node")
        self.assertEqual(self.pusher.publish(self.user, 1)["position"]["seq"], 1)

    def test_asks_again_when_the_owner_is_gone(self):
        self.pusher.owner(self.user)["internalUrl"] = "http://127.0.0.1:9"
        self.assertEqual(self.pusher.publish(self.user, 1)["position"]["seq"], 1)

    def test_stores_an_id_once(self):
        first = self.pusher.publish(self.user, {"n": 1}, "one")
        again = self.pusher.publish(self.user, {"n": 1}, "one")
        self.assertEqual(again["position"], first["position"])
        self.assertTrue(again["duplicate"])

    def test_gives_up_at_once_what_cannot_work(self):
        self.pusher.publish(self.user, 1, "one")
        self.refused("id_conflict", self.pusher, 2, "one")
        self.refused("unauthenticated", self.make(key=b"a key that the cluster does not know"), 1)

    def test_gives_up_after_the_timeout_and_says_that_it_is_worth_another_try(self):
        nobody = self.make(locator="http://127.0.0.1:9")
        self.assertTrue(self.refused("unknown", nobody, 1, timeout=0.5).retryable)

    def refused(self, code, pusher, *message, **options):
        with self.assertRaises(PublishError) as caught:
            pusher.publish(self.user, *message, **options)
        self.assertEqual(caught.exception.code, code)
        return caught.exception


if __name__ == "__main__":
    unittest.main()
