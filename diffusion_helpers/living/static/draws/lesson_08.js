// What draws in lesson 08; see draws.js.

export const LESSON_08 = {};
