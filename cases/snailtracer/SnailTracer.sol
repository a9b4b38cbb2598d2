// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// A path tracer in integers: a snail with a metal shell, a glass ball and a glass pyramid on a
/// lawn before a mirror, under a sky with a sun.
///
/// Lengths, colours and unit vectors are fixed-point numbers with ONE = 10^6. Light is traced
/// backwards: a ray from the eye bounces until it leaves for the sky or is absorbed, and surfaces
/// that scatter choose the next direction with a linear congruential generator, so that the
/// picture is the same on every machine. Vectors and rays live in memory that is never freed, the
/// scene lives in storage, and radiance calls itself: the habits of contracts that compute.
///
/// The algorithms are those of the text books: Whitted (1980) and Kajiya (1986) for the light
/// transport, Möller and Trumbore (1997) for the triangles, Schlick (1994) for the glass.
contract SnailTracer {
    struct Vector {
        int256 x;
        int256 y;
        int256 z;
    }

    struct Ray {
        Vector origin;
        Vector direction; // of length ONE
        uint256 bounces; // how many surfaces lie between the eye and this ray
    }

    enum Material {
        Diffuse,
        Specular,
        Refractive
    }

    struct Sphere {
        Vector center;
        int256 radius;
        Vector emission;
        Vector color;
        Material material;
    }

    struct Triangle {
        Vector a;
        Vector b;
        Vector c;
        Vector normal;
        Vector color;
        Material material;
    }

    /// The point of the scene that a ray meets.
    struct Surface {
        Vector position;
        Vector normal; // points out of the body
        Vector emission;
        Vector color;
        Material material;
    }

    /// What the rays of all pixels start from.
    struct Camera {
        Vector eye;
        Vector forward;
        Vector right; // half the width of the picture, one unit before the eye
        Vector up; // half its height
    }

    int256 private constant ONE = 1_000_000;
    int256 private constant PI = 3_141_593;

    int256 private constant WIDTH = 1_024;
    int256 private constant HEIGHT = 768;
    uint256 private constant SAMPLES = 12;

    /// Hits nearer than this are the surface that the ray has just left.
    int256 private constant NEAR = 1_000;

    int256 private constant GLASS_INDEX = 1_500_000;
    int256 private constant GLASS_REFLECTANCE = 40_000; // at normal incidence, ((n - 1) / (n + 1))^2

    /// Up to here glass sends both a reflected and a refracted ray; beyond it one of them, by chance.
    uint256 private constant BRANCHING_BOUNCES = 2;
    /// From here on a ray survives with the probability of its colour (Russian roulette) ...
    uint256 private constant SURE_BOUNCES = 4;
    /// ... and here all end: every bounce is a level of recursion, and the stack has 1,024 words.
    uint256 private constant MAX_BOUNCES = 12;

    Camera private camera;
    Sphere[] private spheres;
    Triangle[] private triangles;
    uint32 private seed;

    /// Pixels of every material and of what shows in it.
    function Benchmark() external returns (bytes3[8] memory pixels) {
        _stage();
        pixels[0] = _pixel(512, 60, SAMPLES); // sky
        pixels[1] = _pixel(267, 667, SAMPLES); // lawn
        pixels[2] = _pixel(413, 440, SAMPLES); // head
        pixels[3] = _pixel(573, 267, SAMPLES); // shell, where it shows the sky
        pixels[4] = _pixel(573, 400, SAMPLES); // shell, where it shows the lawn
        pixels[5] = _pixel(385, 350, SAMPLES); // head in the mirror
        pixels[6] = _pixel(813, 467, SAMPLES); // glass ball
        pixels[7] = _pixel(133, 467, SAMPLES); // pyramid
    }

    /// Any other pixel, counted from the upper left corner, for whoever wants to see the picture.
    function pixel(int256 x, int256 y, uint256 samples) external returns (bytes3) {
        _stage();
        return _pixel(x, y, samples);
    }

    // ---------------------------------------------------------------- scene

    function _stage() private {
        if (spheres.length > 0) return;

        Vector memory forward = _normalize(Vector(0, -160_000, -ONE));
        Vector memory right = _scale(_normalize(_cross(forward, Vector(0, ONE, 0))), 560_000);
        Vector memory up = _scale(_normalize(_cross(right, forward)), 420_000);
        camera = Camera(Vector(0, 3_000_000, 10_000_000), forward, right, up);

        Vector memory dark = Vector(0, 0, 0);
        Vector memory skin = Vector(720_000, 520_000, 330_000);
        Vector memory gold = Vector(920_000, 720_000, 380_000);
        Vector memory glass = Vector(970_000, 990_000, 990_000);
        Vector memory sun = Vector(16_000_000, 14_000_000, 11_000_000);

        spheres.push(Sphere(Vector(-24_000_000, 36_000_000, 22_000_000), 9_000_000, sun, dark, Material.Diffuse));
        spheres.push(Sphere(Vector(700_000, 1_700_000, -400_000), 1_600_000, dark, gold, Material.Specular));
        spheres.push(Sphere(Vector(1_300_000, 350_000, 300_000), 600_000, dark, skin, Material.Diffuse));
        spheres.push(Sphere(Vector(-100_000, 400_000, 500_000), 700_000, dark, skin, Material.Diffuse));
        spheres.push(Sphere(Vector(-1_100_000, 800_000, 600_000), 600_000, dark, skin, Material.Diffuse));
        spheres.push(Sphere(Vector(-1_500_000, 1_700_000, 400_000), 160_000, dark, skin, Material.Diffuse));
        spheres.push(Sphere(Vector(-1_300_000, 1_650_000, 1_000_000), 160_000, dark, skin, Material.Diffuse));
        spheres.push(Sphere(Vector(2_500_000, 800_000, 2_600_000), 800_000, dark, glass, Material.Refractive));

        _pushQuad(
            Vector(-40_000_000, 0, 40_000_000),
            Vector(40_000_000, 0, 40_000_000),
            Vector(40_000_000, 0, -40_000_000),
            Vector(-40_000_000, 0, -40_000_000),
            Vector(360_000, 560_000, 240_000),
            Material.Diffuse
        );
        _pushQuad(
            Vector(-4_500_000, 100_000, -4_000_000),
            Vector(4_000_000, 100_000, -5_500_000),
            Vector(4_000_000, 4_400_000, -5_500_000),
            Vector(-4_500_000, 4_400_000, -4_000_000),
            Vector(850_000, 880_000, 950_000),
            Material.Specular
        );
        _pushPyramid(Vector(-3_300_000, 10_000, 2_200_000), 1_000_000, 1_900_000, glass, Material.Refractive);
    }

    /// A square base of side 2 * half around `center`, standing on the plane of the lawn.
    function _pushPyramid(
        Vector memory center,
        int256 half,
        int256 height,
        Vector memory color,
        Material material
    ) private {
        unchecked {
            Vector memory left = Vector(center.x - half, center.y, center.z + half / 2);
            Vector memory front = Vector(center.x + half / 2, center.y, center.z + half);
            Vector memory right = Vector(center.x + half, center.y, center.z - half / 2);
            Vector memory back = Vector(center.x - half / 2, center.y, center.z - half);
            Vector memory top = Vector(center.x, center.y + height, center.z);

            _pushTriangle(left, front, top, color, material);
            _pushTriangle(front, right, top, color, material);
            _pushTriangle(right, back, top, color, material);
            _pushTriangle(back, left, top, color, material);
            _pushQuad(back, right, front, left, color, material);
        }
    }

    function _pushQuad(
        Vector memory a,
        Vector memory b,
        Vector memory c,
        Vector memory d,
        Vector memory color,
        Material material
    ) private {
        _pushTriangle(a, b, c, color, material);
        _pushTriangle(a, c, d, color, material);
    }

    /// Seen from outside the corners run counter-clockwise.
    function _pushTriangle(
        Vector memory a,
        Vector memory b,
        Vector memory c,
        Vector memory color,
        Material material
    ) private {
        Vector memory normal = _normalize(_cross(_sub(b, a), _sub(c, a)));
        triangles.push(Triangle(a, b, c, normal, color, material));
    }

    // ---------------------------------------------------------------- picture

    /// The mean of some samples. Each pixel has its own seed, so none depends on those before it.
    function _pixel(int256 x, int256 y, uint256 samples) private returns (bytes3) {
        unchecked {
            seed = uint32(uint256(y * WIDTH + x));
            Vector memory sum = Vector(0, 0, 0);
            for (uint256 i = 0; i < samples; i++) {
                sum = _add(sum, _radiance(_eyeRay(x, y)));
            }
            int256 n = int256(samples);
            uint256 rgb = (_toByte(sum.x / n) << 16) | (_toByte(sum.y / n) << 8) | _toByte(sum.z / n);
            return bytes3(uint24(rgb));
        }
    }

    /// A ray through a random point of the pixel.
    function _eyeRay(int256 x, int256 y) private returns (Ray memory) {
        unchecked {
            int256 across = ((x * ONE + _random()) * 2) / WIDTH - ONE;
            int256 upwards = ONE - ((y * ONE + _random()) * 2) / HEIGHT;
            Camera memory from = camera;
            Vector memory direction = _add(from.forward, _add(_scale(from.right, across), _scale(from.up, upwards)));
            return Ray(from.eye, _normalize(direction), 0);
        }
    }

    /// 0 to 255 for 0 to ONE and above, with a gamma of 2.
    function _toByte(int256 light) private pure returns (uint256) {
        unchecked {
            int256 clamped = light > ONE ? ONE : light;
            return uint256((_sqrt(clamped * ONE) * 255) / ONE);
        }
    }

    // ---------------------------------------------------------------- light

    function _radiance(Ray memory ray) private returns (Vector memory) {
        unchecked {
            (int256 distance, bool round, uint256 index) = _trace(ray);
            if (distance == 0) return _sky(ray.direction);

            Surface memory surface = _surface(ray, distance, round, index);
            Vector memory color = surface.color;
            if (ray.bounces >= SURE_BOUNCES) {
                int256 survival = _brightest(color);
                if (ray.bounces >= MAX_BOUNCES || _random() >= survival) return surface.emission;
                color = _divide(color, survival);
            }

            Vector memory incoming;
            if (surface.material == Material.Diffuse) {
                incoming = _diffuse(ray, surface);
            } else if (surface.material == Material.Specular) {
                incoming = _specular(ray, surface);
            } else {
                incoming = _refractive(ray, surface);
            }
            return _add(surface.emission, _multiply(color, incoming));
        }
    }

    /// White at the horizon, blue overhead.
    function _sky(Vector memory direction) private pure returns (Vector memory) {
        unchecked {
            int256 height = direction.y < 0 ? int256(0) : direction.y;
            return Vector(ONE - (height * 7) / 10, ONE - (height * 45) / 100, ONE - height / 10);
        }
    }

    /// Scatters into the half space before the surface, most into the direction of the normal.
    function _diffuse(Ray memory ray, Surface memory surface) private returns (Vector memory) {
        unchecked {
            Vector memory w = _facing(ray, surface);
            Vector memory u = _normalize(_cross(_abs(w.x) > ONE / 10 ? Vector(0, ONE, 0) : Vector(ONE, 0, 0), w));
            Vector memory v = _cross(w, u);

            int256 angle = (2 * PI * _random()) / ONE;
            int256 spread = _random();
            int256 radius = _sqrt(spread * ONE);
            Vector memory direction = _add(
                _add(_scale(u, (_cos(angle) * radius) / ONE), _scale(v, (_sin(angle) * radius) / ONE)),
                _scale(w, _sqrt((ONE - spread) * ONE))
            );
            return _radiance(Ray(surface.position, _normalize(direction), ray.bounces + 1));
        }
    }

    function _specular(Ray memory ray, Surface memory surface) private returns (Vector memory) {
        unchecked {
            int256 along = _dot(ray.direction, surface.normal);
            Vector memory direction = _sub(ray.direction, _scale(surface.normal, 2 * along));
            return _radiance(Ray(surface.position, _normalize(direction), ray.bounces + 1));
        }
    }

    function _refractive(Ray memory ray, Surface memory surface) private returns (Vector memory) {
        unchecked {
            (bool passes, Vector memory direction, int256 cosine) = _refract(ray, surface);
            if (!passes) return _specular(ray, surface);

            int256 reflected = _schlick(cosine);
            Ray memory refracted = Ray(surface.position, direction, ray.bounces + 1);
            if (ray.bounces < BRANCHING_BOUNCES) {
                return _add(
                    _scale(_specular(ray, surface), reflected), _scale(_radiance(refracted), ONE - reflected)
                );
            }
            // Neither choice may become too rare: its light is divided by its chance.
            int256 chance = ONE / 4 + reflected / 2;
            if (_random() < chance) {
                return _scale(_specular(ray, surface), (reflected * ONE) / chance);
            }
            return _scale(_radiance(refracted), ((ONE - reflected) * ONE) / (ONE - chance));
        }
    }

    /// Snell's law. `cosine` is that of the ray on the side of the air, where Schlick's formula holds.
    function _refract(Ray memory ray, Surface memory surface)
        private
        pure
        returns (bool passes, Vector memory direction, int256 cosine)
    {
        unchecked {
            int256 outward = _dot(ray.direction, surface.normal);
            int256 ratio = outward < 0 ? ONE * ONE / GLASS_INDEX : GLASS_INDEX;
            int256 before = _abs(outward);
            int256 beyond2 = ONE - (((ratio * ratio) / ONE) * (ONE - (before * before) / ONE)) / ONE;
            if (beyond2 <= 0) return (false, direction, 0);

            int256 beyond = _sqrt(beyond2 * ONE);
            int256 bend = (ratio * before) / ONE - beyond;
            direction = _normalize(_add(_scale(ray.direction, ratio), _scale(_facing(ray, surface), bend)));
            return (true, direction, outward < 0 ? before : beyond);
        }
    }

    /// The part of the light that glass reflects.
    function _schlick(int256 cosine) private pure returns (int256) {
        unchecked {
            int256 c = ONE - cosine;
            int256 c5 = (c * c * c * c * c) / (ONE * ONE * ONE * ONE);
            return GLASS_REFLECTANCE + ((ONE - GLASS_REFLECTANCE) * c5) / ONE;
        }
    }

    /// The normal on the side of the surface from which the ray comes.
    function _facing(Ray memory ray, Surface memory surface) private pure returns (Vector memory) {
        return _dot(ray.direction, surface.normal) < 0 ? surface.normal : _scale(surface.normal, -ONE);
    }

    // ---------------------------------------------------------------- geometry

    /// The nearest body that the ray meets: its distance, or 0, whether it is a sphere, and which.
    function _trace(Ray memory ray) private view returns (int256 distance, bool round, uint256 index) {
        unchecked {
            for (uint256 i = 0; i < spheres.length; i++) {
                int256 found = _meetSphere(spheres[i], ray);
                if (found > 0 && (distance == 0 || found < distance)) (distance, round, index) = (found, true, i);
            }
            for (uint256 i = 0; i < triangles.length; i++) {
                int256 found = _meetTriangle(triangles[i], ray);
                if (found > 0 && (distance == 0 || found < distance)) (distance, round, index) = (found, false, i);
            }
        }
    }

    function _surface(Ray memory ray, int256 distance, bool round, uint256 index)
        private
        view
        returns (Surface memory surface)
    {
        surface.position = _add(ray.origin, _scale(ray.direction, distance));
        if (round) {
            Sphere memory sphere = spheres[index];
            surface.normal = _normalize(_sub(surface.position, sphere.center));
            surface.emission = sphere.emission;
            surface.color = sphere.color;
            surface.material = sphere.material;
        } else {
            Triangle memory triangle = triangles[index];
            surface.normal = triangle.normal;
            surface.color = triangle.color;
            surface.material = triangle.material;
        }
    }

    /// Distance to the sphere along the ray, or 0.
    function _meetSphere(Sphere memory sphere, Ray memory ray) private pure returns (int256) {
        unchecked {
            Vector memory toCenter = _sub(sphere.center, ray.origin);
            int256 closest = _dot(toCenter, ray.direction);
            int256 chord2 = closest * closest + sphere.radius * sphere.radius - _dot(toCenter, toCenter) * ONE;
            if (chord2 < 0) return 0;

            int256 halfChord = _sqrt(chord2);
            if (closest - halfChord > NEAR) return closest - halfChord;
            if (closest + halfChord > NEAR) return closest + halfChord;
            return 0;
        }
    }

    /// Distance to the triangle along the ray, or 0. Both sides count.
    function _meetTriangle(Triangle memory triangle, Ray memory ray) private pure returns (int256) {
        unchecked {
            Vector memory ab = _sub(triangle.b, triangle.a);
            Vector memory ac = _sub(triangle.c, triangle.a);
            Vector memory p = _cross(ray.direction, ac);
            int256 determinant = _dot(ab, p);
            if (determinant == 0) return 0;

            Vector memory fromA = _sub(ray.origin, triangle.a);
            int256 u = (_dot(fromA, p) * ONE) / determinant;
            if (u < 0 || u > ONE) return 0;

            Vector memory q = _cross(fromA, ab);
            int256 v = (_dot(ray.direction, q) * ONE) / determinant;
            if (v < 0 || u + v > ONE) return 0;

            int256 distance = (_dot(ac, q) * ONE) / determinant;
            return distance > NEAR ? distance : int256(0);
        }
    }

    // ---------------------------------------------------------------- vectors

    function _add(Vector memory a, Vector memory b) private pure returns (Vector memory) {
        unchecked {
            return Vector(a.x + b.x, a.y + b.y, a.z + b.z);
        }
    }

    function _sub(Vector memory a, Vector memory b) private pure returns (Vector memory) {
        unchecked {
            return Vector(a.x - b.x, a.y - b.y, a.z - b.z);
        }
    }

    function _multiply(Vector memory a, Vector memory b) private pure returns (Vector memory) {
        unchecked {
            return Vector((a.x * b.x) / ONE, (a.y * b.y) / ONE, (a.z * b.z) / ONE);
        }
    }

    function _scale(Vector memory a, int256 factor) private pure returns (Vector memory) {
        unchecked {
            return Vector((a.x * factor) / ONE, (a.y * factor) / ONE, (a.z * factor) / ONE);
        }
    }

    function _divide(Vector memory a, int256 divisor) private pure returns (Vector memory) {
        unchecked {
            return Vector((a.x * ONE) / divisor, (a.y * ONE) / divisor, (a.z * ONE) / divisor);
        }
    }

    function _dot(Vector memory a, Vector memory b) private pure returns (int256) {
        unchecked {
            return (a.x * b.x + a.y * b.y + a.z * b.z) / ONE;
        }
    }

    function _cross(Vector memory a, Vector memory b) private pure returns (Vector memory) {
        unchecked {
            return Vector(
                (a.y * b.z - a.z * b.y) / ONE, (a.z * b.x - a.x * b.z) / ONE, (a.x * b.y - a.y * b.x) / ONE
            );
        }
    }

    /// The vector of length ONE in the direction of `a`.
    function _normalize(Vector memory a) private pure returns (Vector memory) {
        unchecked {
            return _divide(a, _sqrt(a.x * a.x + a.y * a.y + a.z * a.z));
        }
    }

    function _brightest(Vector memory color) private pure returns (int256) {
        int256 larger = color.x > color.y ? color.x : color.y;
        return larger > color.z ? larger : color.z;
    }

    // ---------------------------------------------------------------- numbers

    function _abs(int256 x) private pure returns (int256) {
        unchecked {
            return x < 0 ? -x : x;
        }
    }

    /// The integer part of the root, by Newton's method from above.
    function _sqrt(int256 x) private pure returns (int256 root) {
        unchecked {
            root = x;
            int256 next = (x + 1) / 2;
            while (next < root) {
                root = next;
                next = (root + x / root) / 2;
            }
        }
    }

    /// The Taylor series, for angles of 0 to 2 * PI.
    function _sin(int256 angle) private pure returns (int256 sum) {
        unchecked {
            int256 x = angle > PI ? angle - 2 * PI : angle;
            int256 term = x;
            for (int256 n = 2; term != 0; n += 2) {
                sum += term;
                term = -(((term * x) / ONE) * x) / (ONE * n * (n + 1));
            }
        }
    }

    function _cos(int256 angle) private pure returns (int256) {
        unchecked {
            int256 shifted = angle + PI / 2;
            return _sin(shifted > 2 * PI ? shifted - 2 * PI : shifted);
        }
    }

    /// The next number of 0 to ONE - 1, from the generator of ANSI C's rand.
    function _random() private returns (int256) {
        unchecked {
            seed = seed * 1_103_515_245 + 12_345;
            // The low bits of such a generator have short periods.
            return int256(uint256(seed >> 8)) % ONE;
        }
    }
}
