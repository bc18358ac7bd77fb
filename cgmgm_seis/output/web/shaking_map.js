// A map of ground motion at the nodes of a grid or at stations, on Leaflet, without tiles.
"use strict";

// Colours of intensities 1 to 10, those of ShakeMap (Worden et al. 2020).
const INTENSITY_COLOURS = [
  [255, 255, 255], [191, 204, 255], [160, 230, 255], [128, 255, 255], [122, 255, 147],
  [255, 255, 0], [255, 200, 0], [255, 145, 0], [255, 0, 0], [200, 0, 0],
];
const ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"];
const STAR = "M12 1l3.2 7.2 7.8.8-5.9 5.2 1.7 7.8-6.8-4-6.8 4 1.7-7.8L1 9l7.8-.8z";
const TRIANGLE = "M12 3l10 18H2z";

const MINUS = "\u2212", DEGREE = "\u00b0", MIDDLE_DOT = "\u00b7";

/** A number with three digits, as it is read. */
function shortNumber(value) {
  return Number(value.toPrecision(3)).toString().replace("-", MINUS);
}

/** Latitude and longitude with hemispheres; longitudes may continue beyond 180 degrees. */
function placeText(latitude, longitude, digits = 3) {
  const turned = 180 - ((180 - longitude) % 360 + 360) % 360;
  const one = (value, positive, negative) =>
    `${Math.abs(value).toFixed(digits)}${DEGREE}${value < 0 ? negative : positive}`;
  return `${one(latitude, "N", "S")} ${one(turned, "E", "W")}`;
}

/** Round numbers from low to high, about `count`; 1, 2 and 5 times a power of ten if logarithmic. */
function niceTicks(low, high, logarithmic, count = 4) {
  if (!(high > low)) return [low];
  const ticks = [];
  if (logarithmic && high / low > 8) {
    const factors = high / low > 3000 ? [1] : [1, 2, 5];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      for (const factor of factors) ticks.push(Number(`${factor}e${power}`));
    }
  } else {
    const rough = (high - low) / count, unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough);
    for (let k = Math.ceil(low / step); k * step <= high; k++) ticks.push(k * step);
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/**
 * How the values of a layer are coloured and written.
 *
 * A layer has `kind`: "amplitude" (values are natural logarithms of SI units, written in familiar
 * units: `factor` times `unit`), "sigma" (standard deviations of logarithms) or "intensity".
 */
class ColourScale {
  constructor(layer, colours, logarithms) {
    this.layer = layer;
    this.logarithms = logarithms && layer.kind === "amplitude";
    this.intensity = layer.kind === "intensity";
    this.colours = this.intensity ? INTENSITY_COLOURS : colours[layer.kind];
    [this.low, this.high] = this.intensity ? [1, 10] : [Infinity, -Infinity];
    if (!this.intensity) {
      for (const value of layer.values) {
        if (Number.isFinite(value)) {
          this.low = Math.min(this.low, value);
          this.high = Math.max(this.high, value);
        }
      }
    }
  }

  /** Red, green and blue between the two nearest colours of the scale. */
  colour(value) {
    const last = this.colours.length - 1;
    const share = this.high > this.low ? (value - this.low) / (this.high - this.low) : 0.5;
    const place = Math.max(0, Math.min(1, share)) * last, k = Math.min(Math.floor(place), last - 1);
    const [first, second] = [this.colours[k], this.colours[k + 1]];
    return first.map((part, c) => Math.round(part + (place - k) * (second[c] - part)));
  }

  get unit() {
    if (this.layer.kind === "sigma") return "ln units";
    return this.logarithms ? `ln of ${this.layer.siUnit}` : this.layer.unit;
  }

  shown(value) {
    const amplitude = this.layer.kind === "amplitude" && !this.logarithms;
    return amplitude ? Math.exp(value) * this.layer.factor : value;
  }

  /** A value with its unit. */
  text(value) {
    if (!Number.isFinite(value)) return "no value";
    if (this.intensity) return `${value.toFixed(1)} (${ROMAN[Math.min(Math.round(value), 10) - 1]})`;
    if (this.layer.kind === "sigma" || this.logarithms) {
      return `${value.toFixed(3).replace("-", MINUS)} (${this.unit})`;
    }
    return `${shortNumber(this.shown(value))} ${this.unit}`;
  }

  /** Positions, from 0 to 1, and texts of the ticks of the legend. */
  ticks() {
    if (!Number.isFinite(this.low)) return [];
    if (this.intensity) return ROMAN.map((text, k) => ({ position: k / 9, text }));
    const curved = this.layer.kind === "amplitude" && !this.logarithms;
    const [low, high] = [this.shown(this.low), this.shown(this.high)];
    const position = (tick) => {
      if (!(high > low)) return 0.5;
      return curved ? Math.log(tick / low) / Math.log(high / low) : (tick - low) / (high - low);
    };
    return niceTicks(low, high, curved).map((tick) => ({
      position: position(tick), text: shortNumber(tick),
    }));
  }
}

/** Longitudes and latitudes on a plane where distances at one latitude are right. */
function localProjection(latitude) {
  const squeezed = Math.max(Math.cos(latitude * Math.PI / 180), 0.05);
  return L.extend({}, L.CRS.Earth, {
    projection: L.Projection.LonLat,
    transformation: new L.Transformation(squeezed / 360, 0.5, -1 / 360, 0.5),
  });
}

function icon(path, size, className) {
  const svg = `<svg viewBox="0 0 24 24" width="${size}" height="${size}"><path d="${path}"/></svg>`;
  return L.divIcon({ html: svg, className: `symbol ${className}`, iconSize: [size, size] });
}

/** An element with a text, since Leaflet takes strings as HTML. */
function textElement(text) {
  const element = document.createElement("span");
  element.textContent = text;
  return element;
}

/**
 * A map in an element.
 *
 * `region` is west, east, south and north of what is shown first and `bounds` those of what can be
 * reached; `coast` is a list of lines of [longitude, latitude]; `colours` are the colours by kind
 * of layer; `onValue` is called with the text of the value under the pointer, or at the middle of
 * the map when the keyboard moves it.
 */
class ShakingMap {
  constructor(element, { region, bounds, coast, colours, onValue }) {
    const box = ([west, east, south, north]) => L.latLngBounds([south, west], [north, east]);
    this.element = element;
    this.colours = colours;
    this.onValue = onValue;
    this.region = box(region);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.map = L.map(element, {
      crs: localProjection(this.region.getCenter().lat),
      maxBounds: box(bounds),
      maxBoundsViscosity: 1,
      zoomSnap: 0.25,
      zoomDelta: 0.75,
      wheelPxPerZoomLevel: 90,
      zoomControl: false,
      attributionControl: false,
      zoomAnimation: !calm,
      fadeAnimation: false,
      inertia: !calm,
    });
    L.control.zoom({ position: "topright" }).addTo(this.map);
    L.control.scale({ position: "bottomright", imperial: false }).addTo(this.map);
    // From the bottom: values of grids, coast (Leaflet's own pane), values at stations.
    this.map.createPane("values").style.zIndex = 350;
    this.map.createPane("points").style.zIndex = 420;
    this.map.fitBounds(this.region, { padding: [6, 6] });
    this.map.setMinZoom(Math.min(this.map.getBoundsZoom(box(bounds)), this.map.getZoom()));
    this.map.setMaxZoom(this.map.getZoom() + 7);
    this._drawCoast(coast);
    this.points = L.layerGroup().addTo(this.map);
    this.stations = L.layerGroup().addTo(this.map);
    this.dots = L.canvas({ pane: "points" });
    this._addAxes();
    this._followInput();
    new ResizeObserver(() => this.map.invalidateSize({ pan: false })).observe(element);
  }

  /** Show another region first, with its own scale of longitudes. */
  setRegion([west, east, south, north]) {
    this.region = L.latLngBounds([south, west], [north, east]);
    this.map.options.crs = localProjection(this.region.getCenter().lat);
    this.reset();
  }

  /** Show the whole region. */
  reset() {
    this.map.fitBounds(this.region, { padding: [6, 6] });
  }

  /** Put the star at an epicentre; the text is shown beside it. */
  setSource(latitude, longitude, text) {
    this.star?.remove();
    this.star = L.marker([latitude, longitude], {
      icon: icon(STAR, 26, "star"), keyboard: false, bubblingMouseEvents: true, zIndexOffset: 1000,
    }).bindTooltip(textElement(text)).addTo(this.map);
  }

  /** Show stations `{latitude, longitude, text, className}`; `onClick` gets the one clicked. */
  setStations(stations, onClick) {
    this.stations.clearLayers();
    for (const station of stations) {
      const marker = L.marker([station.latitude, station.longitude], {
        icon: icon(TRIANGLE, 13, station.className ?? "station"),
        keyboard: false,
        bubblingMouseEvents: !onClick,
      }).bindTooltip(textElement(station.text)).addTo(this.stations);
      if (onClick) marker.on("click", () => onClick(station));
    }
  }

  /**
   * Show a layer: `grid` (whether values are those of rows of `latitude` and columns of
   * `longitude`), `latitude`, `longitude`, `codes` of stations, `values` and what `ColourScale`
   * needs.  Return its scale.
   */
  show(layer, logarithms = false) {
    this.layer = layer;
    this.scale = new ColourScale(layer, this.colours, logarithms);
    this.picture?.remove();
    this.points.clearLayers();
    if (layer.grid) this._drawGrid(layer);
    else this._drawPoints(layer);
    if (this.place) this._read(this.place);
    return this.scale;
  }

  _drawGrid({ latitude, longitude, values }) {
    const [rows, columns] = [latitude.length, longitude.length];
    const picture = new ImageData(columns, rows);
    values.forEach((value, k) => {
      const row = rows - 1 - Math.floor(k / columns);
      if (Number.isFinite(value)) {
        picture.data.set([...this.scale.colour(value), 255], 4 * (row * columns + k % columns));
      }
    });
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [columns, rows];
    canvas.getContext("2d").putImageData(picture, 0, 0);
    const [south, north] = ShakingMap._edges(latitude), [west, east] = ShakingMap._edges(longitude);
    this.picture = L.imageOverlay(canvas.toDataURL(), [[south, west], [north, east]], {
      pane: "values", className: "values",
    }).addTo(this.map);
  }

  /** Limits of the cells of an axis; a node is the middle of its cell. */
  static _edges(axis) {
    const last = axis.length - 1, half = last ? (axis[last] - axis[0]) / last / 2 : 0.01;
    return [axis[0] - half, axis[last] + half];
  }

  _drawPoints({ latitude, longitude, values }) {
    values.forEach((value, k) => {
      const known = Number.isFinite(value);
      L.circleMarker([latitude[k], longitude[k]], {
        renderer: this.dots, radius: 7, color: "#222", weight: 1, fillOpacity: known ? 1 : 0,
        fillColor: known ? `rgb(${this.scale.colour(value)})` : undefined, interactive: false,
      }).addTo(this.points);
    });
  }

  /** Draw the coast dark on a light edge, which is seen on any colour. */
  _drawCoast(lines) {
    const turned = lines.map((line) => line.map(([x, y]) => [y, x]));
    const renderer = L.canvas({ padding: 0.5 });
    for (const [color, weight] of [["#fff", 4], ["#1d3c4a", 1.6]]) {
      L.polyline(turned, { renderer, color, weight, interactive: false }).addTo(this.map);
    }
  }

  // ---- values ------------------------------------------------------------------------------

  /** Return the value at a place as a text, or "" where there is none. */
  textAt({ lat, lng }) {
    if (!this.layer) return "";
    const { grid, latitude, longitude, codes, values, label } = this.layer;
    const found = grid ? this._cell(lat, lng) : this._nearest(lat, lng);
    if (found === null) return "";
    const [k, y, x] = grid
      ? [found.row * longitude.length + found.column, latitude[found.row], longitude[found.column]]
      : [found, latitude[found], longitude[found]];
    const name = grid ? "" : `${codes[k]}, `;
    return `${label} ${this.scale.text(values[k])} ${MIDDLE_DOT} ${name}${placeText(y, x)}`;
  }

  _cell(lat, lng) {
    const place = (axis, x) => {
      const [low, high] = ShakingMap._edges(axis);
      return Math.floor((x - low) / (high - low) * axis.length);
    };
    const { latitude, longitude } = this.layer;
    const [row, column] = [place(latitude, lat), place(longitude, lng)];
    const inside = row >= 0 && row < latitude.length && column >= 0 && column < longitude.length;
    return inside ? { row, column } : null;
  }

  /** The station nearest to a place, within 30 pixels. */
  _nearest(lat, lng) {
    const here = this.map.latLngToContainerPoint([lat, lng]);
    let best = null, least = 30;
    this.layer.latitude.forEach((y, k) => {
      const there = this.map.latLngToContainerPoint([y, this.layer.longitude[k]]);
      const distance = here.distanceTo(there);
      if (distance < least) [best, least] = [k, distance];
    });
    return best;
  }

  _read(place) {
    this.place = place;
    this.onValue?.(this.textAt(place));
  }

  _followInput() {
    this.map.on("mousemove click", (event) => this._read(event.latlng));
    let keyboard = false;
    this.element.addEventListener("keydown", () => { keyboard = true; }, true);
    this.element.addEventListener("pointerdown", () => { keyboard = false; }, true);
    this.map.on("moveend zoomend", () => keyboard && this._read(this.map.getCenter()));
    this.element.addEventListener("focus", () => {
      if (this.element.matches(":focus-visible")) this._read(this.map.getCenter());
    });
    const cross = document.createElement("div");
    cross.className = "crosshair";
    this.element.append(cross);
  }

  // ---- axes --------------------------------------------------------------------------------

  _addAxes() {
    this.axes = document.createElement("canvas");
    this.axes.className = "axes";
    this.element.append(this.axes);
    this.map.on("move zoomend resize", () => this._drawAxes());
    this._drawAxes();
  }

  /** Ticks and degrees at the lower and the left edge. */
  _drawAxes() {
    const { x: width, y: height } = this.map.getSize(), ratio = devicePixelRatio || 1;
    Object.assign(this.axes, { width: width * ratio, height: height * ratio });
    Object.assign(this.axes.style, { width: `${width}px`, height: `${height}px` });
    const c = this.axes.getContext("2d"), bounds = this.map.getBounds();
    c.scale(ratio, ratio);
    c.font = "12px system-ui, sans-serif";
    c.lineWidth = 3;
    c.strokeStyle = "rgb(255 255 255 / 90%)";
    c.fillStyle = "#111";
    const write = (text, x, y) => { c.strokeText(text, x, y); c.fillText(text, x, y); };
    const tick = (x, y, w, h) => { c.strokeRect(x, y, w, h); c.fillRect(x, y, w, h); };
    const degrees = (value, signs) => {
      const turned = 180 - ((180 - value) % 360 + 360) % 360;
      return `${Number(Math.abs(turned).toFixed(4))}${DEGREE}${signs[turned < 0 ? 1 : 0]}`;
    };
    c.textAlign = "center";
    c.textBaseline = "bottom";
    for (const value of niceTicks(bounds.getWest(), bounds.getEast(), false, width / 110)) {
      const { x } = this.map.latLngToContainerPoint([bounds.getSouth(), value]);
      if (x < 60 || x > width - 150) continue; // the corner, and the scale bar
      tick(x - 0.5, height - 6, 1, 6);
      write(degrees(value, "EW"), x, height - 7);
    }
    c.textAlign = "left";
    c.textBaseline = "middle";
    for (const value of niceTicks(bounds.getSouth(), bounds.getNorth(), false, height / 90)) {
      const { y } = this.map.latLngToContainerPoint([value, bounds.getWest()]);
      if (y < 10 || y > height - 24) continue;
      tick(0, y - 0.5, 6, 1);
      write(degrees(value, "NS"), 9, y);
    }
  }
}

/** Draw the legend of a scale in an element: a bar of colours, ticks, and a heading. */
function drawLegend(element, scale, heading) {
  const colours = Array.from({ length: 33 }, (_, k) => {
    const value = scale.low + (scale.high - scale.low) * k / 32;
    return `rgb(${scale.colour(value)})`;
  });
  const bar = document.createElement("div");
  bar.className = "colours";
  bar.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
  const ticks = document.createElement("div");
  ticks.className = "ticks";
  for (const { position, text } of scale.ticks()) {
    const tick = textElement(text);
    tick.style.left = `${100 * position}%`;
    ticks.append(tick);
  }
  const title = document.createElement("div");
  title.className = "heading";
  title.textContent = heading;
  element.replaceChildren(title, bar, ticks);
}

/** The numbers of little-endian 32-bit floats in base64. */
function decodeFloats(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let k = 0; k < raw.length; k++) bytes[k] = raw.charCodeAt(k);
  return new Float32Array(bytes.buffer);
}
