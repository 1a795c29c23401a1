// What the live controls of the lessons draw, here without Python: one file for each lesson, and one
// for the first page of the site. Each drawing is an async generator like the lesson's own function:
//
//   async function* name(values, { network, words, file }, own)
//
// values   by name: what a slider, a switch or a seed says as in Python, the word of a choice, and
//          { data, shape: [3, S, S] } for a drawing board
// network  network("swift"), ready for sampling.js; words encode prompts; file("emoji/emoji.json")
// own      by name: { data, shape }, the lesson's own numbers, from mirrors.py
//
// It yields { pictures: { column: { data, shape } }, caption, share, unheard }; shapes are [C, H, W]
// or [N, C, H, W], `unheard` is that of an encoded prompt. Share is 1 and nothing is unheard where
// left out. A long drawing with nothing to show yet yields nothing after each step: then it can be left
// for a newer one. What a lesson's drawing says by tr() is what the lesson's code says, where {0} and {1}
// are the places of an f-string: so it follows the translation of the lesson. The captions are Python's to the letter; mirrors.py says which function belongs to which.

import { LESSON_00 } from "./draws/lesson_00.js";
import { LESSON_01 } from "./draws/lesson_01.js";
import { LESSON_02 } from "./draws/lesson_02.js";
import { LESSON_03 } from "./draws/lesson_03.js";
import { LESSON_04 } from "./draws/lesson_04.js";
import { LESSON_05 } from "./draws/lesson_05.js";
import { LESSON_06 } from "./draws/lesson_06.js";
import { LESSON_07 } from "./draws/lesson_07.js";
import { LESSON_08 } from "./draws/lesson_08.js";
import { LESSON_09 } from "./draws/lesson_09.js";
import { LESSON_10 } from "./draws/lesson_10.js";
import { PLAY } from "./draws/play.js";

export const DRAWS = {
  ...LESSON_00, ...LESSON_01, ...LESSON_02, ...LESSON_03, ...LESSON_04, ...LESSON_05, ...LESSON_06,
  ...LESSON_07, ...LESSON_08, ...LESSON_09, ...LESSON_10, ...PLAY,
};
