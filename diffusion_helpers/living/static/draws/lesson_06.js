// What draws in lesson 06; see draws.js.

export const LESSON_06 = {};
