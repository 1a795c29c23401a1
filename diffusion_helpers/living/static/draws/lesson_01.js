// What draws in lesson 01; see draws.js.

export const LESSON_01 = {};
