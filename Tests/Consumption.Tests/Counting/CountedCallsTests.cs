using System.Globalization;
using System.Text.RegularExpressions;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Tests.Metering;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Counting;

/// <summary>Calls of about 1 000 tokens in 4 000 bytes, a thousandth of a dollar each.</summary>
public sealed partial class CountedCallsTests(Marketplace marketplace)
{
    private const string OpenAis = "gpt-4o-2024-08-06";
    private const string Unknown = "llama-3.3-70b";
    private static readonly ServicePricing PerToken = Prices.PerMillionTokens(1_000m, 1_000m);
    private static readonly string Messages = $$"""
        "messages":[{"role":"user","content":"{{string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog. ", 90))}}"}]
        """;

    [Theory]
    [InlineData(OpenAis, 200)]
    [InlineData(Unknown, 429)]
    public async Task A_call_whose_bytes_exceed_a_budget_is_admitted_when_its_tokens_do_not(string model, int status)
    {
        using var shop = await OpenAsync(model);
        await shop.Member.SetBudgetAsync(2m);

        var answer = await shop.ChatAsync(Messages);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(status == 200 ? (1, 1m) : (0, 0m), await shop.TotalAsync());
        if (status != 200)
        {
            Assert.Contains("Its input alone does not fit.", await MessageAsync(answer), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(OpenAis, 200)]
    [InlineData(Unknown, 429)]
    public async Task A_call_whose_bytes_exceed_the_tokens_of_a_minute_is_admitted_when_its_tokens_do_not(string model, int status)
    {
        using var shop = await OpenAsync(model, key: new { name = "k", limits = new { tokensPerMinute = 3_000 } });

        Assert.Equal(status, (int)(await shop.ChatAsync(Messages)).StatusCode);
    }

    [Theory]
    [InlineData(OpenAis, 200)]
    [InlineData(Unknown, 429)]
    public async Task A_call_whose_bytes_exceed_the_tokens_of_the_month_is_admitted_when_its_tokens_do_not(string model, int status)
    {
        using var shop = await OpenAsync(model, tier: OrganisationTier.Basic);
        await UsedAsync(shop.Member.Id, 97_000); // Of 100 000.

        Assert.Equal(status, (int)(await shop.ChatAsync(Messages)).StatusCode);
    }

    [Theory]
    [InlineData(256 * 1024, 200)]
    [InlineData((256 * 1024) + 1, 429)]
    public async Task Only_bodies_of_a_quarter_megabyte_at_most_are_counted(int bytes, int status)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Embedding(60_000), PerToken, "embeddings", maxOutput: null, model: OpenAis);
        await shop.Member.SetBudgetAsync(200m); // Of 262 by bytes, and about 60 by tokens.
        var around = shop.Body("\"input\":[\"\"]");
        var text = string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog. ", 10_000))[..(bytes - around.Length)];

        var answer = await shop.Client.PostJsonAsync("/v1/embeddings", shop.Body($"\"input\":[\"{text}\"]"));

        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Theory]
    [InlineData(0.000_5, false)]
    [InlineData(0.5, true)]
    public async Task A_call_that_no_count_would_get_in_is_refused_by_its_bytes(double left, bool counted)
    {
        using var shop = await OpenAsync(OpenAis);
        await shop.Member.SetBudgetAsync((decimal)left); // A token costs 0.001.

        var refused = await shop.ChatAsync(Messages);

        Assert.Equal(429, (int)refused.StatusCode);
        var most = decimal.Parse(MayCost().Match(await MessageAsync(refused)).Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.Equal(counted, most < 2m);
    }

    [Fact]
    public async Task A_refusal_tells_the_output_that_fits_beside_the_counted_input()
    {
        using var shop = await OpenAsync(OpenAis);
        await shop.Member.SetBudgetAsync(2m);
        Assert.Equal(200, (int)(await shop.ChatAsync(Messages)).StatusCode);

        var refused = await shop.ChatAsync($"\"max_tokens\":99,{Messages}"); // 1 of 2 is left.

        Assert.Equal(new OpenAiError(429, "insufficient_quota", "insufficient_quota", null), await refused.ErrorAsync());
        var most = int.Parse(AtMost().Match(await MessageAsync(refused)).Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.InRange(most, 10, 98);
        Assert.Equal(429, (int)(await shop.ChatAsync($"\"max_tokens\":{most + 1},{Messages}")).StatusCode);
        Assert.Equal(200, (int)(await shop.ChatAsync($"\"max_tokens\":{most},{Messages}")).StatusCode);
    }

    [Fact]
    public async Task A_fallback_of_the_same_price_is_not_dearer_than_a_counted_call()
    {
        using var first = await OpenAsync(OpenAis);
        using var second = await OpenAsync(OpenAis);
        first.Answer(ProviderScripts.Fail(500));
        await first.Member.SetBudgetAsync(2m);

        var answer = await first.ChatAsync($"\"models\":[\"{second.Model}\"],{Messages}");

        Assert.Equal(200, (int)answer.StatusCode);
        Assert.Single(second.Seen);
    }

    private Task<Shop> OpenAsync(string model, object? key = null, OrganisationTier tier = OrganisationTier.Enterprise) =>
        Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 950, 50), PerToken, tier: tier, maxOutput: 100, key: key, model: model);

    /// <summary>Tokens that an organisation used this month, before its counters were built.</summary>
    private async Task UsedAsync(Guid organisation, long tokens)
    {
        var plain = Records.Admission(organisation, Guid.CreateVersion7());
        var call = new AdmissionRow
        {
            RequestId = plain.RequestId, InstanceId = plain.InstanceId, OrganisationId = organisation, Generation = 0, KeyId = plain.KeyId, ListingId = plain.ListingId, VersionId = plain.VersionId,
            ProviderOrganisationId = plain.ProviderOrganisationId, Service = plain.Service, Operation = plain.Operation, Streamed = false, AdmittedAt = plain.AdmittedAt,
            Day = Periods.Day(TimeProvider.System.GetUtcNow()), ReservedTokens = 0, ReservedNanos = 0, Currency = "USD", MicrosecondsPerToken = 0,
        };
        await marketplace.Service.App.Services.GetRequiredService<UsageStore>().WriteAsync(new UsageBatch([Records.Of(call, output: tokens)], [], [], null), CancellationToken.None);
    }

    private static async Task<string> MessageAsync(HttpResponseMessage answer) => (await answer.JsonAsync()).GetProperty("error").Text("message")!;

    [GeneratedRegex("may cost ([0-9.]+) USD")]
    private static partial Regex MayCost();

    [GeneratedRegex("`max_tokens` of at most ([0-9]+) ")]
    private static partial Regex AtMost();
}
