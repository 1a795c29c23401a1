// A text in the spoken language; values stand in its places, {0} and {1}, or {} and {} in their order.
// Without values, braces are braces. In words that any browser knows; javascript.py fills in TEXTS.
function tr(text) {
  var texts = TEXTS, values = arguments, next = 1;
  var found = Object.prototype.hasOwnProperty.call(texts, text) ? texts[text] : text;
  if (values.length === 1) return found;
  return found.replace(/\{\{|\}\}|\{(\d*)\}/g, function (place, number) {
    if (number === undefined) return place.charAt(0);
    return values[number ? Number(number) + 1 : next++];
  });
}
