// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stddef.h>

#include "punch/words.h"

/*
 * Of the same length on the air in each place, so that a word that was left out or two that were swapped are
 * noticed when a code is read out: two syllables in the first list, three in the second. In each no word is
 * nearer to another one than three letters, so that what was typed wrong has one nearest word.
 */
static const char words[WORDS_LISTS][WORDS_COUNT][WORDS_LENGTH_MAX + 1] = {
	{"acorn", "album", "almond", "amber", "anchor", "anvil", "arctic", "armchair", "aspen",
		"bamboo", "basil", "bathtub", "beacon", "bedrock", "bellows", "birthday", "biscuit",
		"blanket", "blizzard", "blossom", "bobcat", "bonnet", "bottle", "brisket", "bronco",
		"bugle", "cabbage", "cabin", "cactus", "canoe", "captain", "carpet", "cartoon",
		"cashew", "castle", "catfish", "chapel", "cherry", "chestnut", "chicken", "chimney",
		"chipmunk", "chorus", "circle", "clover", "cluster", "cobalt", "cobweb", "coffee",
		"comet", "compass", "corner", "cosmic", "cottage", "cotton", "cougar", "cowboy",
		"crystal", "cupcake", "cushion", "daisy", "daylight", "denim", "desktop", "dolphin",
		"donkey", "doorbell", "drummer", "dumpling", "dungeon", "eclipse", "elbow",
		"falcon", "farmer", "feather", "fender", "focus", "fortress", "friendly", "furnace",
		"gadget", "garage", "garlic", "garment", "gateway", "ginger", "giraffe", "glacier",
		"glider", "gopher", "gorgeous", "granite", "gravel", "guitar", "gymnast", "hammock",
		"hamster", "handle", "harness", "hatchet", "hedgehog", "helmet", "herring", "hiker",
		"husky", "iceberg", "icebox", "igloo", "inkwell", "jasmine", "jelly", "jersey",
		"jigsaw", "journal", "juggler", "kayak", "kingdom", "kitchen", "lagoon", "lantern",
		"laptop", "leopard", "lettuce", "lilac", "linen", "lobby", "lobster", "locket",
		"logic", "lunar", "magpie", "mailbox", "mammoth", "mango", "marble", "mascot",
		"meadow", "midnight", "mirror", "mitten", "monsoon", "motor", "muffin", "mushroom",
		"mustang", "napkin", "nature", "nectar", "noodle", "nugget", "nylon", "ocean",
		"octave", "onion", "orange", "orbit", "orchard", "ostrich", "pancake", "panther",
		"paper", "parcel", "parrot", "parsnip", "pasta", "peanut", "pebble", "pencil",
		"penguin", "perfume", "pilot", "pixel", "plastic", "platform", "plaza", "popcorn",
		"portrait", "postcard", "pretzel", "puppet", "puzzle", "quarry", "radish",
		"railroad", "rainbow", "rescue", "ribbon", "ripple", "rooftop", "rosebud",
		"rowboat", "rubber", "saffron", "salad", "sandal", "sandwich", "saucer", "sausage",
		"scissors", "scooter", "shampoo", "sheriff", "shipyard", "shortcut", "shoulder",
		"shuttle", "silver", "skillet", "skyline", "slipper", "snowball", "spinach",
		"spiral", "squirrel", "starfish", "station", "statue", "steeple", "sticker",
		"subway", "suitcase", "summit", "sunset", "swallow", "sweater", "syrup", "tablet",
		"teapot", "thunder", "tinsel", "token", "tortoise", "toucan", "tourist", "tractor",
		"trailer", "trapeze", "treasure", "treetop", "trophy", "trumpet", "tulip", "turkey",
		"turtle", "twilight", "typhoon", "walnut", "wedding", "weekend", "whisper",
		"wildcat", "window", "wizard", "wooden", "zebra", "zigzag"},
	{"abacus", "acrobat", "admiral", "aerosol", "afternoon", "albatross", "algebra", "alphabet",
		"animal", "antelope", "antidote", "apartment", "apricot", "aquatic", "aqueduct",
		"archery", "armada", "arrival", "artichoke", "artisan", "avenue", "baritone",
		"barnacle", "beautiful", "beverage", "bonanza", "boulevard", "broccoli", "buffalo",
		"bungalow", "calendar", "canister", "cardigan", "carnation", "carousel", "castanet",
		"cathedral", "cavalry", "centipede", "century", "ceramic", "champion", "character",
		"chariot", "charisma", "cinema", "cinnamon", "circular", "clarinet", "coconut",
		"colony", "computer", "concerto", "cosmonaut", "coyote", "cranberry", "creative",
		"crocodile", "cucumber", "curious", "cylinder", "daffodil", "delicate", "diagram",
		"discover", "dramatic", "dynamic", "editor", "element", "elephant", "elixir",
		"emerald", "emperor", "enamel", "engineer", "enormous", "episode", "espresso",
		"eternal", "evergreen", "explorer", "fabulous", "fantastic", "festival", "flamenco",
		"formula", "galaxy", "gardener", "garrison", "generous", "gigabyte", "governor",
		"granola", "guardian", "habitat", "halibut", "handyman", "harmony", "harvester",
		"heritage", "hibiscus", "hickory", "holiday", "hologram", "honeybee", "hospital",
		"hydrogen", "iguana", "illusion", "imagine", "infantry", "insulate", "interval",
		"interview", "inventor", "inviting", "janitor", "jubilee", "juniper", "kangaroo",
		"kilowatt", "koala", "ladybug", "latitude", "lavender", "legacy", "library",
		"limousine", "location", "longitude", "lullaby", "luminous", "luxury", "machinist",
		"magazine", "magenta", "magical", "majesty", "manager", "mandarin", "marathon",
		"marigold", "marina", "mechanic", "melody", "momentum", "monorail", "musician",
		"national", "navigate", "nitrogen", "nobleman", "november", "octagon", "octopus",
		"omega", "optical", "optimist", "orchestra", "organic", "ornament", "overcoat",
		"overnight", "oxygen", "pagoda", "papaya", "paprika", "parachute", "paradise",
		"parallel", "parasol", "pavilion", "pedestal", "pelican", "pendulum", "periscope",
		"piccolo", "pineapple", "piranha", "platinum", "poetic", "polygon", "popular",
		"porcupine", "portable", "pottery", "prodigy", "protector", "pullover", "radiant",
		"rectangle", "referee", "romantic", "rosemary", "rotary", "royalty", "safari",
		"samurai", "sandpaper", "saxophone", "scientist", "scorpion", "semester", "seminar",
		"sentinel", "serenade", "signature", "silicon", "singular", "skeleton", "solitude",
		"sombrero", "soprano", "spaghetti", "spatula", "specimen", "spectacle", "stadium",
		"stamina", "studio", "submarine", "sunflower", "surveyor", "sycamore", "syllable",
		"symphony", "tangerine", "tapestry", "taxicab", "teenager", "telegram", "telescope",
		"terminal", "terrapin", "tomato", "tornado", "triangle", "tricycle", "trilogy",
		"tropical", "turmeric", "tuxedo", "umbrella", "uniform", "valentine", "vanilla",
		"vibrato", "video", "vinegar", "violin", "vitamin", "volcanic", "wanderer",
		"waterfall", "yesterday", "zodiac"},
};

const char *words_at(unsigned list, unsigned index)
{
	return list < WORDS_LISTS && index < WORDS_COUNT ? words[list][index] : NULL;
}
