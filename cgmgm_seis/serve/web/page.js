// The page of the service: choose a scenario on a map, and look at its records and its map of PGV.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (name) => document.getElementById(name);
// Stations nearer to a click than this, pixels, are what was clicked.
const NEAR = 12;
const KM_PER_DEGREE = 111.19;

const known = data.stations.map((station) => ({ ...station, known: true, chosen: false }));
let added = [];
// The body of the last answered request, which the download repeats.
let answered = null;

const map = new ShakingMap(byId("map"), {
  region: data.models[0].region,
  bounds: data.bounds,
  coast: data.coast,
  colours: data.colours,
  onValue: (text) => { if (text) byId("value").textContent = text; },
});

const model = () => data.models[byId("model").selectedIndex];
const number = (name) => byId(name).valueAsNumber;
const wrapped = (longitude) => ((longitude + 540) % 360 + 360) % 360 - 180;
const code = (station) => `${station.network}.${station.station}`;
const chosen = () => [...known.filter((station) => station.chosen), ...added];

/** A longitude as the map has it, where those of a region across the date line continue. */
function onMap(longitude) {
  const middle = map.region.getCenter().lng;
  return longitude - 360 * Math.round((longitude - middle) / 360);
}

// ---- stations --------------------------------------------------------------------------------

function drawStations() {
  const place = (station) => ({
    station,
    latitude: station.latitude,
    longitude: onMap(station.longitude),
    text: code(station),
    className: station.known && !station.chosen ? "station" : "chosen",
  });
  map.setStations([...known, ...added].map(place), ({ station }) => toggle(station));
  byId("count").textContent = `${chosen().length} chosen`;
  byId("stations").replaceChildren(...chosen().map((station) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = `${code(station)} \u00d7`;
    button.setAttribute("aria-label", `Remove ${code(station)}`);
    button.addEventListener("click", () => toggle(station));
    item.append(button);
    return item;
  }));
}

/** The first codes of virtual stations that no station has. */
function newStation() {
  const used = new Set([...known, ...added].map(code));
  for (let k = 0; ; k++) {
    const own = { network: "SY", station: `V${String(k).padStart(4, "0")}` };
    if (!used.has(code(own))) return own;
  }
}

function toggle(station) {
  if (station.known) station.chosen = !station.chosen;
  else added = added.filter((other) => other !== station);
  drawStations();
}

/** The largest trained epicentral distance, as it is read. */
function farthest() {
  const { path_ep_distance_km: range } = model().ranges;
  return range ? `${shortNumber(range[1])} km` : "any";
}

/** Whether the weights were trained on stations at such a place and distance. */
function withinReach(station) {
  const { ranges } = model();
  const inside = (value, [low, high] = [-Infinity, Infinity]) => value >= low && value <= high;
  const turn = (value, [low, high] = [0, 0]) =>
    value - 360 * Math.round((value - (low + high) / 2) / 360);
  const [, most] = ranges.path_ep_distance_km ?? [0, Infinity];
  const north = station.latitude - number("latitude");
  const east = wrapped(station.longitude - number("longitude"))
    * Math.cos(number("latitude") * Math.PI / 180);
  return inside(station.latitude, ranges.station_latitude_deg)
    && inside(turn(station.longitude, ranges.station_longitude_deg), ranges.station_longitude_deg)
    && KM_PER_DEGREE * Math.hypot(north, east) < 0.98 * most;
}

function chooseDefaults() {
  for (const station of known) station.chosen = withinReach(station);
  drawStations();
}

// ---- the earthquake --------------------------------------------------------------------------

function drawSource() {
  const [latitude, longitude] = [number("latitude"), number("longitude")];
  if (Number.isFinite(latitude) && Number.isFinite(longitude)) {
    map.setSource(latitude, onMap(longitude), "Epicentre");
  }
}

function setSource(latitude, longitude) {
  byId("latitude").value = latitude.toFixed(4);
  byId("longitude").value = wrapped(longitude).toFixed(4);
  drawSource();
}

function click({ lat, lng }) {
  if (document.querySelector("[name=mode]:checked").value === "epicentre") {
    setSource(lat, lng);
    byId("value").textContent = `Epicentre at ${placeText(lat, lng)}.`;
    return;
  }
  const here = map.map.latLngToContainerPoint([lat, lng]);
  const near = [...known, ...added].find((station) => here.distanceTo(
    map.map.latLngToContainerPoint([station.latitude, onMap(station.longitude)])) < NEAR);
  if (near) toggle(near);
  else {
    const own = newStation();
    added.push({ ...own, latitude: lat, longitude: wrapped(lng) });
    drawStations();
    byId("value").textContent = `Station ${code(own)} at ${placeText(lat, lng)}.`;
  }
}

function chooseModel() {
  const { ranges, region, generator, version, trainedOn } = model();
  const range = (name, unit) =>
    ranges[name] ? `${ranges[name].map((value) => shortNumber(value)).join(" to ")}${unit}` : "any";
  byId("trained").textContent = `${generator}, version ${version}, trained on ${trainedOn}.`;
  byId("ranges").textContent = `Magnitude ${range("source_magnitude", "")}, depth `
    + `${range("source_depth_km", " km")}, distance up to ${farthest()}.`;
  map.setRegion(region);
  setSource((region[2] + region[3]) / 2, (region[0] + region[1]) / 2);
  added = [];
  chooseDefaults();
}

// ---- requests --------------------------------------------------------------------------------

/** The scenario as the body of a request to Syngine. */
function body() {
  const lines = [
    `model=${model().name}`,
    `magnitude=${byId("magnitude").value}`,
    `sourcelatitude=${byId("latitude").value}`,
    `sourcelongitude=${byId("longitude").value}`,
    `sourcedepthinmeters=${byId("depth").value === "" ? "" : 1000 * number("depth")}`,
    `origintime=${data.originTime}`,
    `seed=${byId("seed").value}`,
    "units=velocity",
  ];
  for (const station of chosen()) {
    lines.push(station.known
      ? `${station.network} ${station.station}`
      : `${station.latitude.toFixed(5)} ${station.longitude.toFixed(5)} `
        + `NETCODE=${station.network} STACODE=${station.station}`);
  }
  return lines.join("\n");
}

/** Send a scenario; an answer that is an error is thrown as its sentence. */
async function ask(address, content) {
  let answer;
  try {
    answer = await fetch(address, { method: "POST", body: content });
  } catch {
    throw new Error("The server does not answer; it may have been stopped.");
  }
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer;
}

function showError(text) {
  byId("error").textContent = text;
  byId("error").hidden = !text;
}

/** Run requests with a sentence on what is done and one at the end, and show their error. */
async function working(sentence, work, done) {
  const buttons = [byId("generate"), byId("download")];
  showError("");
  byId("status").textContent = sentence;
  for (const button of buttons) button.disabled = true;
  try {
    await work();
    byId("status").textContent = done;
  } catch (error) {
    byId("status").textContent = "";
    showError(error.message);
  }
  for (const button of buttons) button.disabled = false;
}

async function generate() {
  const content = body(), count = Number(byId("realizations").value);
  const section = await (await ask("/page/section.png", content)).blob();
  URL.revokeObjectURL(byId("section").src);
  byId("section").src = URL.createObjectURL(section);
  const what = `M ${byId("magnitude").value}, ${byId("depth").value} km deep, `
    + `${chosen().length} stations, seed ${byId("seed").value}`;
  byId("section").alt = `Record section: ${what}.`;
  byId("said").textContent = `${what}; ${model().generator}, weights ${model().name}, trained on `
    + `${model().trainedOn}.`;
  byId("result").hidden = false;
  answered = content;
  byId("status").textContent = "Drawing the map of PGV ..";
  drawMap(await (await ask(`/page/pgv.json?realizations=${count}`, content)).json(), count);
}

function drawMap(answer, count) {
  const scale = map.show({
    ...data.pgv,
    kind: "amplitude",
    grid: true,
    latitude: answer.latitude,
    longitude: answer.longitude.map((value) => value + onMap(answer.longitude[0]) - answer.longitude[0]),
    values: decodeFloats(answer.data),
  });
  const what = count === 1 ? "of this earthquake" : `median of ${count} realizations`;
  drawLegend(byId("legend"), scale, `PGV (${scale.unit}), RotD50, ${what}`);
  byId("left-out").textContent = answer.left_out
    ? `${answer.left_out} of ${answer.latitude.length * answer.longitude.length} nodes are blank: `
      + "they are outside of what the weights were trained on." : "";
}

async function download() {
  const archive = await (await ask("/page/records.zip", answered)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(archive);
  link.download = "records.zip";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// ---- the form --------------------------------------------------------------------------------

byId("model").replaceChildren(...data.models.map((one) => new Option(one.name, one.name)));
byId("realizations").replaceChildren(...data.realizations.map((count) => new Option(count, count)));
byId("depth").value = data.depth;
byId("model").addEventListener("change", chooseModel);
byId("default-stations").addEventListener("click", chooseDefaults);
byId("no-stations").addEventListener("click", () => {
  for (const station of known) station.chosen = false;
  added = [];
  drawStations();
});
for (const name of ["latitude", "longitude"]) byId(name).addEventListener("change", drawSource);
map.map.on("click", (event) => click(event.latlng));
byId("map").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    click(map.map.getCenter());
  }
});
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  working(
    "Drawing the records ..",
    generate,
    "Done: PGV is on the map, and the record section is below.",
  );
});
byId("download").addEventListener("click", () =>
  working("Drawing the records for the archive ..", download, "The archive is downloaded."));
chooseModel();
