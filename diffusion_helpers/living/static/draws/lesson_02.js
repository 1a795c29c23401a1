// What draws in lesson 02; see draws.js.

export const LESSON_02 = {};
