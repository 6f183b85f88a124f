using System.Net;
using System.Text.Json;
using LlmMarketplace.Entitlement;
using LlmMarketplace.Entitlement.Tests;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace LlmMarketplace.Discovery.Tests;

/// <summary>One catalogue that knows nothing before a test tells it.</summary>
public sealed class EmptyShelf(PostgresServer postgres) : IAsyncLifetime
{
    public Catalogue Catalogue { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Catalogue = await Catalogue.StartAsync(postgres);

    public async ValueTask DisposeAsync() => await Catalogue.DisposeAsync();
}

public sealed class VisibilityTests(EmptyShelf shelf) : IClassFixture<EmptyShelf>
{
    private const string AllStates = "status=draft&status=validating&status=failed_validation&status=pending_approval&status=rejected&status=active&status=deprecated&status=suspended&status=retired";
    private static int serial;

    private readonly Catalogue catalogue = shelf.Catalogue;

    public static TheoryData<string> Cases => [.. EntitlementCase.All.Select(c => c.Name)];

    /// <summary>The entitlement library's own table, against every door of the catalogue: words (SQL) and meaning, facets and counts (memory), detail, similar, autocomplete.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public async Task The_table_of_cases_holds_at_every_door(string name)
    {
        var entitlement = EntitlementCase.All.Single(c => c.Name == name);
        var viewer = entitlement.Viewer.Id;
        await catalogue.ClearAsync(EntitlementCase.Owner, status: entitlement.Listing.OwnerActive ? OrganisationStatus.Active : OrganisationStatus.Suspended);
        await catalogue.ClearAsync(viewer, Enum.Parse<ComplianceLevel>(entitlement.Viewer.Clearance.ToString()), entitlement.Viewer.Active ? OrganisationStatus.Active : OrganisationStatus.Suspended);

        // Words that nobody else uses, as name, tag and provider.
        var word = $"zq{Interlocked.Increment(ref serial)}x{Guid.CreateVersion7():N}";
        var listing = Samples.Listing(EntitlementCase.Owner, $"p{word}", $"s{word}", [.. entitlement.Versions.Select((version, i) => Version(word, version, i))]) with
        {
            Suspended = entitlement.Listing.Suspended,
            Visibility = new ListingVisibility(Enum.Parse<VisibilityKind>(entitlement.Listing.Audience.ToString()), [.. entitlement.Listing.Admitted]),
        };
        await catalogue.PublishAsync(listing);

        var detail = entitlement.Sees ? HttpStatusCode.OK : HttpStatusCode.NotFound;
        var shown = await catalogue.GetAsync($"/api/v1/services/{listing.ListingId}", viewer, detail);
        await catalogue.GetAsync($"/api/v1/services/by-name/p{word}/s{word}", viewer, detail);
        if (entitlement.Sees)
        {
            var visible = viewer == EntitlementCase.Owner ? entitlement.Versions.Length : entitlement.Calls.Count(c => c == CallVerdict.Allowed);
            Assert.Equal(visible, shown.GetProperty("versions").GetArrayLength());
        }

        // A listing of which no version left the desk has nothing to be found by.
        var found = entitlement.Sees && entitlement.Versions.Length > 0;
        var callable = found && viewer != EntitlementCase.Owner;
        foreach (var query in new[] { $"q=t{word}", $"q=s{word}", "q=carrier+pigeon+post", $"tag=t{word}", $"provider=p{word}" })
        {
            var page = await catalogue.GetAsync($"/api/v1/services?{query}&{AllStates}&limit=100", viewer);
            Assert.Equal(found, Catalogue.Names(page).Contains($"p{word}/s{word}"));
            Assert.Equal(found, page.GetProperty("facets").GetRawText().Contains(word, StringComparison.Ordinal));
        }

        var completions = (await catalogue.GetAsync($"/api/v1/services/autocomplete?q=t{word}", viewer)).GetRawText();
        Assert.Equal(callable || (found && entitlement.Calls.Any(c => c is CallVerdict.Allowed or CallVerdict.CallerSuspended or CallVerdict.ProviderSuspended)), completions.Contains($"t{word}", StringComparison.Ordinal));
        await catalogue.GetAsync($"/api/v1/services/{listing.ListingId}/similar", viewer, found ? HttpStatusCode.OK : HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task What_is_hidden_is_not_counted_and_not_similar()
    {
        var (friend, stranger) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        var open = Samples.Listing(Catalogue.Provider, "weather", "open", Samples.Version(Samples.Specification("Forecasts thunderstorms over the sea.", "classification", ["storms"])));
        var shared = Samples.Listing(Catalogue.Provider, "weather", "shared", Samples.Version(Samples.Specification("Forecasts thunderstorms over the mountains.", "classification", ["storms", "inside-tip"]))) with
        {
            Visibility = new ListingVisibility(VisibilityKind.Organisations, [friend]),
        };
        await catalogue.PublishAsync(open, shared);

        foreach (var (viewer, count) in new[] { (friend, 2), (stranger, 1) })
        {
            var page = await catalogue.GetAsync("/api/v1/services?q=thunderstorms", viewer);
            Assert.Equal(count, page.GetProperty("total").GetInt32());
            Assert.Equal(count, Count(page.GetProperty("facets").GetProperty("tag"), "storms"));
            Assert.Equal(count, Count((await catalogue.GetAsync("/api/v1/services/tags", viewer)).GetProperty("items"), "storms"));
            Assert.Equal(count - 1, Count((await catalogue.GetAsync("/api/v1/services/tags", viewer)).GetProperty("items"), "inside-tip"));
            Assert.Equal(count - 1, Catalogue.Names(await catalogue.GetAsync($"/api/v1/services/{open.ListingId}/similar", viewer)).Count(n => n == "weather/shared"));
        }

        var categories = (await catalogue.GetAsync("/api/v1/services/categories", friend)).GetProperty("items");
        Assert.Equal(Count(categories, "classification"), Count((await catalogue.GetAsync("/api/v1/services/categories", stranger)).GetProperty("items"), "classification") + 1);
        Assert.Equal(ServiceCategories.All, categories.EnumerateArray().Select(c => c.GetProperty("value").GetString()));
    }

    [Fact]
    public async Task Nobody_finds_a_listing_by_words_of_a_version_that_is_above_their_clearance()
    {
        var (low, high) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await catalogue.ClearAsync(high, ComplianceLevel.Restricted);
        await catalogue.PublishAsync(Samples.Listing(
            Catalogue.Provider,
            "two",
            "faced",
            Samples.Version(Samples.Specification("Counts bees in a hive.")),
            Samples.Version(Samples.Specification("Counts submarines in a harbour.", level: "restricted"), number: "2.0.0")));

        Assert.Equal(["two/faced"], await catalogue.SearchAsync("q=bees", low));
        Assert.Empty(await catalogue.SearchAsync("q=submarines", low));
        Assert.Equal(["two/faced"], await catalogue.SearchAsync("q=submarines", high));
        var page = await catalogue.GetAsync("/api/v1/services?provider=two", high);
        Assert.Equal("2.0.0", Assert.Single(page.GetProperty("items").EnumerateArray()).GetProperty("listing").GetProperty("version").GetString());
    }

    [Fact]
    public async Task Suspended_and_retired_listings_vanish_and_come_back_when_resumed()
    {
        var version = Samples.Version(Samples.Specification("Predicts the price of tulips."));
        var listing = Samples.Listing(Catalogue.Provider, "flowers", "tulips", version);
        await catalogue.PublishAsync(listing);
        Assert.Equal(["flowers/tulips"], await catalogue.SearchAsync("q=tulips"));

        foreach (var gone in new[]
                 {
                     listing with { Suspended = true },
                     listing with { Versions = [version with { Status = VersionStatus.Suspended }] },
                     listing with { Versions = [version with { Status = VersionStatus.Retired }] },
                 })
        {
            await catalogue.PublishAsync(gone);
            Assert.Empty(await catalogue.SearchAsync("q=tulips"));
            Assert.Empty(await catalogue.SearchAsync("provider=flowers"));
            await catalogue.GetAsync($"/api/v1/services/{listing.ListingId}", status: HttpStatusCode.NotFound);
            await catalogue.PublishAsync(listing);
            Assert.Equal(["flowers/tulips"], await catalogue.SearchAsync("q=tulips"));
        }
    }

    [Fact]
    public async Task A_face_that_is_no_longer_shown_is_gone()
    {
        var old = Samples.Version(Samples.Specification("Sings opera."));
        var listing = Samples.Listing(Catalogue.Provider, "stage", "singer", old);
        await catalogue.PublishAsync(listing);
        await catalogue.PublishAsync(listing with { Versions = [old, Samples.Version(Samples.Specification("Dances ballet."), number: "1.1.0")] });

        var found = (await catalogue.GetAsync("/api/v1/services?provider=stage")).GetProperty("items").EnumerateArray();
        Assert.Equal("1.1.0", Assert.Single(found).GetProperty("listing").GetProperty("version").GetString());
        Assert.Equal(["stage/singer"], await catalogue.SearchAsync("q=ballet&provider=stage"));
    }

    [Fact]
    public async Task A_caller_without_a_token_sees_nothing()
    {
        foreach (var path in new[] { "", "/categories", "/tags", "/autocomplete?q=a", $"/{Guid.CreateVersion7()}", "/by-name/a/b", $"/{Guid.CreateVersion7()}/similar" })
        {
            using var response = await catalogue.Service.Client.GetAsync($"/api/v1/services{path}", Catalogue.Token);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        }
    }

    [Fact]
    public async Task Neither_an_answer_nor_the_database_holds_a_secret_or_the_address_of_an_endpoint()
    {
        var listing = Samples.Listing(Catalogue.Provider, "vault", "keeper", Samples.Version(Samples.Specification("Keeps things in a vault.")));
        await catalogue.PublishAsync(listing);
        foreach (var path in new[] { "?provider=vault", $"/{listing.ListingId}", "/by-name/vault/keeper" })
        {
            var body = (await catalogue.GetAsync($"/api/v1/services{path}", Catalogue.Provider)).GetRawText();
            Assert.Contains("vault/keeper", body, StringComparison.Ordinal);
            AssertClean(body);
        }

        var source = catalogue.Service.App.Services.GetRequiredService<NpgsqlDataSource>();
        await using var command = source.CreateCommand("SELECT string_agg(l::text, '') || (SELECT string_agg(f::text, '') FROM listing_faces f) FROM listings l");
        var stored = (string)(await command.ExecuteScalarAsync(Catalogue.Token))!;
        Assert.Contains("Keeps things in a vault", stored, StringComparison.Ordinal);
        AssertClean(stored);
    }

    private static void AssertClean(string text)
    {
        Assert.DoesNotContain("endpoint-secret", text, StringComparison.Ordinal);
        Assert.DoesNotContain("provider.example", text, StringComparison.Ordinal);
        Assert.DoesNotContain("iphertext", text, StringComparison.Ordinal);
    }

    private static PublishedVersion Version(string word, VersionFacts facts, int i)
    {
        var level = facts.Level.ToString().ToLowerInvariant();
        return Samples.Version(Samples.Specification("Trains carrier pigeons to deliver the post.", tags: [$"t{word}"], level: level), Enum.Parse<VersionStatus>(facts.State.ToString()), $"1.{i}.0");
    }

    private static int Count(JsonElement values, string value) => values.EnumerateArray().Where(v => v.GetProperty("value").GetString() == value).Select(v => v.GetProperty("count").GetInt32()).SingleOrDefault();
}
