namespace LlmMarketplace.Identity.Access;

/// <summary>Lists here go by id: UUID v7, so oldest first and stable while others write.</summary>
internal static class Cursors
{
    /// <summary>A page of <paramref name="take"/> from what was read, one more than it, to know whether another page follows.</summary>
    public static Page<TView> Page<TRow, TKey, TView>(List<TRow> found, int take, Func<TRow, TView> view, Func<TRow, TKey> key) => new(
        [.. found.Take(take).Select(view)],
        found.Count > take ? Paging.Encode(key(found[take - 1])) : null);
}
