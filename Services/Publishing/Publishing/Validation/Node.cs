using System.Globalization;
using System.Numerics;
using System.Text.Json;
using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>
/// A place in a declaration. Reads what should be there, and notes what is not as it should be with a JSON Pointer instead of throwing,
/// so that the provider hears of everything at once.
/// </summary>
internal readonly struct Node(JsonElement element, string path, List<Issue> issues)
{
    public JsonElement Element { get; } = element;

    public string Path { get; } = path;

    public void Report(string code, string message) => issues.Add(new Issue(code, Path, message));

    public Node? Member(string name, bool required)
    {
        if (Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null)
        {
            return At(name, found);
        }

        if (required)
        {
            At(name, default).Report(IssueCodes.Required, $"{name} is required.");
        }

        return null;
    }

    public Node? Object(string name, bool required = true) => Member(name, required) is { } node && node.Is(JsonValueKind.Object, "an object") ? node : null;

    public string? Text(string name, int maxLength, bool required = true) => Member(name, required) is { } node ? node.AsText(maxLength) : null;

    public string? AsText(int maxLength)
    {
        if (!Is(JsonValueKind.String, "a string"))
        {
            return null;
        }

        var text = Element.GetString()!;
        if (text.Length > maxLength)
        {
            Report(IssueCodes.TooLong, $"At most {maxLength} characters, but it has {text.Length}.");
        }
        else if (string.IsNullOrWhiteSpace(text))
        {
            Report(IssueCodes.Required, "It must not be empty.");
        }

        return text;
    }

    public bool? Flag(string name, bool required = true)
    {
        if (Member(name, required) is not { } node)
        {
            return null;
        }

        if (node.Element.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return node.Element.GetBoolean();
        }

        node.Report(IssueCodes.InvalidType, "It must be true or false.");
        return null;
    }

    public T? Number<T>(string name, T min, T max, bool required = true)
        where T : struct, INumber<T>
    {
        if (Member(name, required) is not { } node || !node.Is(JsonValueKind.Number, "a number"))
        {
            return null;
        }

        if (!T.TryParse(node.Element.GetRawText(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || number < min || number > max || (T.IsZero(number) && node.Element.GetRawText().Split('e', 'E')[0].Any(digit => digit is >= '1' and <= '9')))
        {
            // The last case: too small to be told from zero, as 1e-40.
            node.Report(IssueCodes.OutOfRange, string.Create(CultureInfo.InvariantCulture, $"It must be a number from {min} to {max}{(T.IsInteger(T.One / (T.One + T.One)) ? " without a fraction" : "")}."));
            return null;
        }

        return number;
    }

    /// <summary>A value of a closed set, by its wire name.</summary>
    public TEnum? Choice<TEnum>(string name, bool required = true)
        where TEnum : struct, Enum
    {
        if (Member(name, required) is not { } node || !node.Is(JsonValueKind.String, "a string"))
        {
            return null;
        }

        if (WireNames<TEnum>.TryParse(node.Element.GetString()!, out var value))
        {
            return value;
        }

        node.Report(IssueCodes.UnknownValue, $"It must be one of {string.Join(", ", WireNames<TEnum>.All)}.");
        return null;
    }

    public string? OneOf(string name, IReadOnlyCollection<string> values) => Member(name, required: true) is { } node ? node.AsOneOf(values) : null;

    public string? AsOneOf(IReadOnlyCollection<string> values)
    {
        if (!Is(JsonValueKind.String, "a string"))
        {
            return null;
        }

        var text = Element.GetString()!;
        if (!values.Contains(text))
        {
            Report(IssueCodes.UnknownValue, $"It must be one of {string.Join(", ", values)}.");
        }

        return text;
    }

    /// <summary>The items of an array; none when it is absent or no array.</summary>
    public IReadOnlyList<Node> Items(string name, int maxCount, bool required = false)
    {
        if (Member(name, required) is not { } node || !node.Is(JsonValueKind.Array, "an array"))
        {
            return [];
        }

        if (node.Element.GetArrayLength() > maxCount)
        {
            node.Report(IssueCodes.TooMany, $"At most {maxCount} entries.");
        }

        return [.. node.Element.EnumerateArray().Take(maxCount).Select((item, index) => node.At(index.ToString(CultureInfo.InvariantCulture), item))];
    }

    /// <summary>Strings without repetitions.</summary>
    public IReadOnlyList<string> Texts(string name, int maxCount, int maxLength)
    {
        var seen = new List<string>();
        foreach (var item in Items(name, maxCount))
        {
            if (item.AsText(maxLength) is not { } text)
            {
                continue;
            }

            if (seen.Contains(text))
            {
                item.Report(IssueCodes.Duplicate, $"{text} stands here twice.");
            }
            else
            {
                seen.Add(text);
            }
        }

        return seen;
    }

    public Node At(string name, JsonElement value) =>
        new(value, $"{Path}/{name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}", issues);

    private bool Is(JsonValueKind kind, string what)
    {
        if (Element.ValueKind == kind)
        {
            return true;
        }

        Report(IssueCodes.InvalidType, $"It must be {what}.");
        return false;
    }
}
