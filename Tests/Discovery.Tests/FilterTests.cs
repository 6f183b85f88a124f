using System.Net;
using System.Text.Json;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Discovery.Tests;

public sealed class FilterTests(EmptyShelf shelf) : IClassFixture<EmptyShelf>, IAsyncLifetime
{
    private static readonly Guid Owner = Guid.CreateVersion7();
    private readonly Catalogue catalogue = shelf.Catalogue;

    public async ValueTask InitializeAsync()
    {
        if ((await catalogue.SearchAsync("provider=f")).Count > 0)
        {
            return;
        }

        await catalogue.PublishAsync(
            Listing("a", Samples.Specification("Alpha writes prose.", "text-generation", ["prose"], perMillion: 2m, contextWindow: 8_000, tools: true, availability: 99.9m, maxLatencyMs: 300)),
            Listing("b", Samples.Specification("Beta writes verse.", "text-generation", ["verse"], level: "internal", certifications: ["SOC2", "ISO27001"], perMillion: 10m, contextWindow: 200_000, availability: 99m, maxLatencyMs: 900)),
            Listing("c", Samples.Specification("Gamma translates prose.", "translation", ["prose", "french"], residency: ["FR"], perMillion: null, maxLatencyMs: 100)),
            Listing("d", Samples.Specification("Delta translates verse.", "translation", ["verse", "french"], certifications: ["SOC2"], perMillion: 0.5m)));
        await catalogue.ClearAsync(Catalogue.Consumer, ComplianceLevel.Internal);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [InlineData("", "a b c d")]
    [InlineData("category=translation", "c d")]
    [InlineData("category=translation&category=text-generation", "a b c d")]
    [InlineData("tag=prose", "a c")]
    [InlineData("tag=prose&category=translation", "c")]
    [InlineData("pricing=free", "c")]
    [InlineData("pricing=per-token", "a b d")]
    [InlineData("complianceLevel=internal", "b")]
    [InlineData("certification=SOC2", "b d")]
    [InlineData("certification=soc2", "b d")]
    [InlineData("residency=FR", "c")]
    [InlineData("feature=tools", "a")]
    [InlineData("feature=gdpr", "a b c d")]
    [InlineData("inputModality=image", "")]
    [InlineData("support=basic", "a b c d")]
    [InlineData("status=deprecated", "")]
    [InlineData("maxPrice=2", "a c d")]
    [InlineData("maxPrice=1.99", "c d")]
    [InlineData("minAvailability=99.5", "a c d")]
    [InlineData("minContextWindow=8000", "a b")]
    [InlineData("q=verse", "b d")]
    [InlineData("q=verse&category=translation", "d")]
    public async Task A_filter_keeps_what_it_says(string query, string expected)
    {
        var found = await catalogue.SearchAsync($"provider=f&{query}");
        Assert.Equal(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries), found.Select(name => name["f/".Length..]).Order());
    }

    [Fact]
    public async Task Facets_count_what_one_would_find_and_a_dimension_does_not_narrow_itself()
    {
        var page = await catalogue.GetAsync("/api/v1/services?provider=f&category=translation");
        Assert.Equal(2, page.GetProperty("total").GetInt32());
        Assert.Equal("text-generation=2 translation=2", Facet(page, "category"));
        Assert.Equal("french=2 prose=1 verse=1", Facet(page, "tag"));
        Assert.Equal("SOC2=1", Facet(page, "certification"));
        Assert.Equal("free=1 per-token=1", Facet(page, "pricing"));
        Assert.Equal("active=2", Facet(page, "status"));

        foreach (var facet in page.GetProperty("facets").EnumerateObject().Where(f => f.Name is not ("provider" or "category")))
        {
            foreach (var value in facet.Value.EnumerateArray())
            {
                var narrowed = await catalogue.GetAsync($"/api/v1/services?provider=f&category=translation&{facet.Name}={Uri.EscapeDataString(value.GetProperty("value").GetString()!)}");
                Assert.Equal(value.GetProperty("count").GetInt32(), narrowed.GetProperty("total").GetInt32());
            }
        }
    }

    [Theory]
    [InlineData("price", "c d a b")]
    [InlineData("promised_latency", "c a b d")]
    [InlineData("newest", "d c b a")]
    public async Task A_list_is_sorted_as_asked(string sort, string expected) =>
        Assert.Equal(expected.Split(' '), (await catalogue.SearchAsync($"provider=f&sort={sort}")).Select(name => name["f/".Length..]));

    [Fact]
    public async Task Prices_are_those_of_the_callers_tier()
    {
        var enterprise = Guid.CreateVersion7();
        await catalogue.ClearAsync(enterprise, tier: OrganisationTier.Enterprise);
        var specification = Samples.Specification("Sells by tier.") with
        {
            Pricing = new ServicePricing(PricingModel.PerToken, "USD", [new PriceRate("default", "1k-tokens", 0.003m, 0.006m, null), new PriceRate("enterprise", "1k-tokens", 0.001m, 0.002m, null)]),
        };
        await catalogue.PublishAsync(Samples.Listing(Owner, "tiers", "tiered", Samples.Version(specification)));

        foreach (var (viewer, tier, output) in new[] { (Catalogue.Consumer, "default", 6m), (enterprise, "enterprise", 2m) })
        {
            var price = (await catalogue.GetAsync("/api/v1/services?provider=tiers", viewer)).GetProperty("items")[0].GetProperty("listing").GetProperty("price");
            Assert.Equal(tier, price.GetProperty("tier").GetString());
            Assert.Equal(output, price.GetProperty("outputPerMillionTokens").GetDecimal());
            Assert.Equal(output <= 2 ? 1 : 0, (await catalogue.SearchAsync("provider=tiers&maxPrice=2", viewer)).Count);
        }
    }

    [Theory]
    [InlineData("sort=rating", "invalid_sort")]
    [InlineData("category=poetry", "invalid_filter")]
    [InlineData("status=hidden", "invalid_filter")]
    [InlineData("complianceLevel=secret", "invalid_filter")]
    [InlineData("cursor=nonsense", "invalid_cursor")]
    [InlineData("minContextWindow=many", "invalid_request")]
    public async Task A_query_that_cannot_be_answered_is_refused_with_its_code(string query, string code) =>
        Assert.Equal(code, (await catalogue.GetAsync($"/api/v1/services?{query}", status: HttpStatusCode.BadRequest)).GetProperty("code").GetString());

    private static ListingChanged Listing(string name, ServiceSpecification specification)
    {
        var day = new DateTimeOffset(2026, 1, name[0] - 'a' + 1, 0, 0, 0, TimeSpan.Zero);
        return Samples.Listing(Owner, "f", name, Samples.Version(specification)) with { CreatedAt = day };
    }

    private static string Facet(JsonElement page, string name) =>
        string.Join(' ', page.GetProperty("facets").GetProperty(name).EnumerateArray().Select(v => $"{v.GetProperty("value").GetString()}={v.GetProperty("count").GetInt32()}").Order(StringComparer.Ordinal));
}
