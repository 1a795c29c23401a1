// What draws in lesson 03; see draws.js.

export const LESSON_03 = {};
