"""The observation as prose, and a call as text: for a person, or for a language model.

env = Prose(gymnasium.make("fqg_env.env:FunctionQuest-v0", size="small"))
text, info = env.reset(seed=0)
text, reward, terminated, truncated, info = env.step("cut_bridge")
"""

from __future__ import annotations

import string
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from fqg_env.env import FunctionQuest
from fqg_env.game import Game, Word
from fqg_env.render import board_as_text

LONGEST = 40_000
LETTERS = string.printable + "äöüÄÖÜßéèêàçñ"
RULES = """\
Answer with the number or the name of one action. A call answers once: what to try next, and whether
it is tried again, is up to you. Every attempt costs time and money. WAIT lets time run; STOP delivers
what is there and ends the run. A call uses up what is marked so. One that acts once may not be repeated
once it may have acted.
Only a repair, a verify or an inspect reads what a gate has rejected. `help` repeats this, `board` shows the
board; neither costs anything."""
ANSWERS = {
    Word.HELP: RULES,
    Word.BOARD: "Nothing is played.",
    Word.QUIT: "Nothing is played; STOP ends the run.",
}


class Prose(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Observations are the board as text, with what has just happened; actions are text.

    What is not understood, or not possible now, is answered by a sentence: nothing is played or charged.
    """

    def __init__(self, env: gymnasium.Env[dict[str, np.ndarray], np.int64]):
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)
        if not isinstance(env.unwrapped, FunctionQuest):
            raise TypeError("Prose wraps a single FunctionQuest environment")
        self.quest: FunctionQuest = env.unwrapped
        self.observation_space = spaces.Text(LONGEST, charset=LETTERS)
        self.action_space = spaces.Text(80, charset=LETTERS)
        self.game: Game

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin an episode; the text tells the story, the rules and the board."""
        _, info = self.env.reset(seed=seed, options=options)
        puzzle = self.quest.puzzle
        self.game = Game(self.quest.level, self.quest.lanes, puzzle.says if puzzle else {})
        story = self.game.level.story or "Make what has to be delivered."
        return self.told([story, RULES]), info

    def step(self, action: str) -> tuple[str, SupportsFloat, bool, bool, dict[str, Any]]:
        """Play what the text means."""
        meant = self.game.understand(action)
        if self.game.over:
            return self.told(["The run is over."]), 0.0, True, False, self.quest.info()
        if isinstance(meant, Word):
            return self.told([ANSWERS[meant]]), 0.0, False, False, self.quest.info()
        if isinstance(meant, str) or not self.game.legal(meant):
            sentence = meant if isinstance(meant, str) else self.game.why_not(meant)
            return self.told([sentence]), 0.0, False, False, self.quest.info()
        before = self.game.before(meant)
        _, reward, terminated, truncated, info = self.env.step(np.int64(meant))
        sentences = self.game.happened(meant, before)
        if terminated:
            sentences = [*filter(None, sentences), self.game.verdict()]
        return self.told(sentences), reward, terminated, truncated, info

    def told(self, sentences: list[str]) -> str:
        """Sentences, the board, and what may be chosen now."""
        board = board_as_text(self.game.level, self.game.record, self.game.board)
        return "\n".join([*sentences, "", board, "", self.game.possible()])
