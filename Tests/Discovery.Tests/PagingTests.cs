using System.Net;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Discovery.Tests;

public sealed class PagingTests(EmptyShelf shelf) : IClassFixture<EmptyShelf>
{
    private readonly Catalogue catalogue = shelf.Catalogue;

    [Theory]
    [InlineData("ranked", "q=translate+letters")]
    [InlineData("priced", "sort=price")]
    [InlineData("dated", "sort=newest")]
    public async Task Pages_show_everything_once_even_while_the_catalogue_changes(string provider, string narrowed)
    {
        var query = $"provider={provider}&{narrowed}";
        await catalogue.PublishAsync([.. Enumerable.Range(0, 23).Select(i => Listing(provider, $"translator-{i}"))]);
        var before = await catalogue.SearchAsync($"{query}&limit=100");

        var seen = new List<string>();
        string? cursor = null;
        do
        {
            var page = await catalogue.GetAsync($"/api/v1/services?{query}&limit=5{(cursor is null ? "" : $"&cursor={cursor}")}");
            Assert.Equal(before.Count, page.GetProperty("total").GetInt32());
            seen.AddRange(Catalogue.Names(page));
            cursor = page.GetProperty("nextCursor").GetString();
            // Somebody else's listing, of no concern to this list.
            await catalogue.PublishAsync(Listing("elsewhere", $"other-{Guid.CreateVersion7():N}", "Bakes bread."));
        }
        while (cursor is not null);

        Assert.Equal(before, seen);
        Assert.Equal(seen.Count, seen.Distinct().Count());
    }

    [Fact]
    public async Task A_cursor_continues_its_own_search_and_no_other()
    {
        await catalogue.PublishAsync([.. Enumerable.Range(0, 3).Select(i => Listing("cursors", $"one-{i}"))]);
        var cursor = (await catalogue.GetAsync("/api/v1/services?provider=cursors&limit=2")).GetProperty("nextCursor").GetString();
        Assert.NotNull(cursor);
        Assert.Single(await catalogue.SearchAsync($"provider=cursors&limit=2&cursor={cursor}"));
        await catalogue.GetAsync($"/api/v1/services?provider=cursors&limit=2&sort=price&cursor={cursor}", status: HttpStatusCode.BadRequest);
        await catalogue.GetAsync($"/api/v1/services?provider=cursors&limit=2&cursor={cursor}", Guid.CreateVersion7(), HttpStatusCode.BadRequest);
    }

    private static ListingChanged Listing(string provider, string name, string description = "Translates letters.") =>
        Samples.Listing(Catalogue.Provider, provider, name, Samples.Version(Samples.Specification(description, "translation", perMillion: name.Length % 3)));
}
