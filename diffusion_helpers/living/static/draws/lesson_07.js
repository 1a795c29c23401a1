// What draws in lesson 07; see draws.js.

export const LESSON_07 = {};
