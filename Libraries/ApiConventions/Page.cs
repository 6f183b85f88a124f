using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.ApiConventions;

/// <summary>One page of a list.</summary>
/// <param name="Items">The items, in the list's order.</param>
/// <param name="NextCursor">Pass it as <c>cursor</c> for the next page; null on the last one.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? NextCursor);

/// <summary>Limits and cursors of paged lists.</summary>
public static class Paging
{
    /// <summary>Items on a page when the caller does not say.</summary>
    public const int DefaultLimit = 20;

    /// <summary>The most items on a page.</summary>
    public const int MaxLimit = 100;

    /// <summary>The limit asked for, or the default, held within 1..<see cref="MaxLimit"/>.</summary>
    public static int Limit(int? asked) => Math.Clamp(asked ?? DefaultLimit, 1, MaxLimit);

    /// <summary>An opaque cursor that carries <paramref name="position"/>.</summary>
    public static string Encode<T>(T position) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(position));

    /// <summary>Where a list goes on.</summary>
    /// <param name="cursor">A cursor made by <see cref="Encode{T}"/>, or null for the first page.</param>
    /// <param name="position">Set to what the cursor carries; as it is for the first page.</param>
    /// <returns>400 <c>invalid_cursor</c> when it is not one.</returns>
    public static ProblemHttpResult? Resume<T>(string? cursor, ref T position)
    {
        if (cursor is null)
        {
            return null;
        }

        if (!TryDecode<T>(cursor, out var after))
        {
            return Problems.Invalid(new Issue("invalid_cursor", "/cursor", "cursor must be the nextCursor of an earlier page of this list."));
        }

        position = after;
        return null;
    }

    /// <summary>Reads a cursor made by <see cref="Encode{T}"/>. False when it is not one: answer 400 <c>invalid_cursor</c>.</summary>
    public static bool TryDecode<T>(string? cursor, [NotNullWhen(true)] out T? position)
    {
        position = default;
        if (string.IsNullOrEmpty(cursor) || cursor.Length > 1024)
        {
            return false;
        }

        try
        {
            position = JsonSerializer.Deserialize<T>(Base64Url.DecodeFromChars(cursor));
            return position is not null;
        }
        catch (Exception broken) when (broken is FormatException or JsonException)
        {
            return false;
        }
    }
}
