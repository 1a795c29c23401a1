// What draws in lesson 05; see draws.js.

export const LESSON_05 = {};
