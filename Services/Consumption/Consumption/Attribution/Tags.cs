using System.Collections.ObjectModel;
using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace LlmMarketplace.Consumption.Attribution;

/// <summary>Names and values by which callers tell their calls apart: <c>team=search,feature=rerank</c>.</summary>
internal static partial class Tags
{
    public const int MaxTags = 16;
    public const int MaxNameLength = 64;
    public const int MaxValueLength = 128;

    public static IReadOnlyDictionary<string, string> None { get; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Reads a list of tags; null, or what is wrong with it.</summary>
    public static string? TryParse(string list, out IReadOnlyDictionary<string, string> tags)
    {
        var read = new Dictionary<string, string>(StringComparer.Ordinal);
        tags = read;
        foreach (var part in list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!TryParseOne(part, out var name, out var value))
            {
                return $"A tag must be `name=value`, the name of at most {MaxNameLength} letters, digits, `_`, `.` or `-`, the value of at most {MaxValueLength} characters without commas: `team=search,feature=rerank`.";
            }

            if (!read.TryAdd(name, value))
            {
                return $"The tag `{name}` is given twice.";
            }
        }

        return read.Count > MaxTags ? $"There may be {MaxTags} tags." : null;
    }

    /// <summary>Reads <c>name=value</c>.</summary>
    public static bool TryParseOne(string tag, [NotNullWhen(true)] out string? name, [NotNullWhen(true)] out string? value)
    {
        var equals = tag.IndexOf('=', StringComparison.Ordinal);
        (name, value) = equals < 0 ? (null, null) : (tag[..equals].Trim(), tag[(equals + 1)..].Trim());
        return name is not null && value is { Length: > 0 and <= MaxValueLength } && IsName(name) && EndUserId.IsPlain(value);
    }

    public static bool IsName(string name) => Name().IsMatch(name);

    [GeneratedRegex($@"\A[A-Za-z0-9_.-]{{1,64}}\z")]
    private static partial Regex Name();
}
