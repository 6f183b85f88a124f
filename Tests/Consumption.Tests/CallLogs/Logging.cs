using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.CallLogs;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.CallLogs;

/// <summary>Call logs as tests switch them on and read them.</summary>
internal static class Logging
{
    public const string Setting = "/api/v1/call-logging";
    public const string Logs = "/api/v1/call-logs";

    public static OptedIn<LoggingPolicy> Policies(this TestService instance) => instance.App.Services.GetRequiredService<OptedIn<LoggingPolicy>>();

    /// <summary>A shop whose caller logs.</summary>
    public static async Task<Shop> LoggingAsync(this Marketplace marketplace, Func<ReceivedCall, Task> answer, object setting)
    {
        var shop = await Shop.OpenAsync(marketplace, answer);
        await marketplace.SwitchOnAsync(shop.Member, setting);
        return shop;
    }

    /// <summary>Switches logging on, and waits until calls know it; of other instances too.</summary>
    public static async Task SwitchOnAsync(this Marketplace marketplace, Member member, object setting, params TestService[] others)
    {
        var before = marketplace.Service.Policies().Of(member.Id);
        var answer = await member.Client.PutAsJsonAsync(Setting, setting);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        await Until.TrueAsync(() => marketplace.Service.Policies().Of(member.Id) is { } policy && !ReferenceEquals(policy, before));
        await Until.TrueAsync(() => others.All(instance => instance.Policies().Of(member.Id) is not null));
    }

    /// <summary>The log of a call, once it is written.</summary>
    public static Task<JsonElement> LogAsync(this Shop shop, HttpResponseMessage answer) => shop.Member.LogAsync(answer.RequestId());

    /// <summary>The log of a call, once it is written.</summary>
    public static async Task<JsonElement> LogAsync(this Member member, Guid call)
    {
        var path = $"{Logs}/{call}";
        await Until.TrueAsync(async () => (await member.Client.GetAsync(path)).StatusCode == HttpStatusCode.OK);
        return await member.Client.GetFromJsonAsync<JsonElement>(path);
    }

    /// <summary>The outcome and the status of a logged call.</summary>
    public static (string? Outcome, int Status) Ended(this JsonElement log) => (log.GetProperty("call").Text("outcome"), log.GetProperty("call").GetProperty("statusCode").GetInt32());

    /// <summary>The ids of the calls that are logged.</summary>
    public static async Task<Guid[]> LoggedAsync(this Member member)
    {
        var page = await member.Client.GetFromJsonAsync<JsonElement>($"{Logs}?limit=100");
        return [.. page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("callId").GetGuid())];
    }
}
