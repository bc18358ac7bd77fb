// The page of a map: choose a measure, a model and a statistic.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (name) => document.getElementById(name);
const choices = { measure: byId("measure"), model: byId("model"), statistic: byId("statistic") };

const map = new ShakingMap(byId("map"), {
  region: data.region,
  bounds: data.bounds,
  coast: data.coast,
  colours: data.colours,
  onValue: (text) => { byId("value").textContent = text || "No value here."; },
});
map.setSource(data.source.latitude, data.source.longitude, data.source.text);
map.setStations(data.stations);

/** Fill a list with the different values of some layers; keep the choice if it is still there. */
function offer(list, values, text = (value) => value) {
  const before = list.value;
  list.replaceChildren(...[...new Set(values)].map((value) => new Option(text(value), value)));
  if ([...list.options].some((option) => option.value === before)) list.value = before;
}

/** The layers that agree with the choices of some lists. */
function chosen(...names) {
  return data.layers.filter((layer) =>
    names.every((name) => String(layer[name]) === choices[name].value));
}

function update() {
  offer(choices.model, chosen("measure").map((layer) => layer.model));
  offer(choices.statistic, chosen("measure", "model").map((layer) => layer.statistic));
  const [layer] = chosen("measure", "model", "statistic");
  const measure = data.measures[layer.measure];
  layer.values ??= decodeFloats(layer.data);
  const { grid, latitude, longitude, codes } = data;
  const scale = map.show(
    { ...measure, ...layer, grid, latitude, longitude, codes },
    byId("logarithms").checked,
  );
  byId("logarithms").disabled = layer.kind !== "amplitude";
  const model = data.models.length ? `, ${layer.model}` : "";
  const unit = scale.intensity ? "" : ` (${scale.unit})`;
  drawLegend(byId("legend"), scale, `${measure.label}${unit}, ${layer.statistic}${model}`);
}

offer(choices.measure, data.measures.keys(), (k) => `${data.measures[k].label}: ${data.measures[k].words}`);
byId("models").hidden = data.models.length === 0;
choices.measure.value = data.first;
for (const list of Object.values(choices)) list.addEventListener("change", update);
byId("logarithms").addEventListener("change", update);
byId("reset").addEventListener("click", () => map.reset());
if (data.layers.length) update();
else byId("value").textContent = "The maps have no values.";
