using System.Buffers;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Rpc;

/// <summary>
/// HTTP/1.1 and HTTP/2 on one address without TLS, where gRPC has to come in too. TLS agrees on the protocol by itself (ALPN); without it Kestrel takes every connection for
/// HTTP/1.1. But clients that know what they talk to begin with a preface that is no HTTP/1.1 (RFC 9113, 3.3 and 3.4):
/// <code>
/// first bytes «PRI * HTTP/2.0» ─► the connection is marked as one that agreed on h2 ─► Kestrel: HTTP/2
/// anything else                ─► untouched                                         ─► Kestrel: HTTP/1.1
/// nothing for a while, or the process stops                                         ─► Kestrel, whose time-outs begin only now
/// </code>
/// </summary>
internal static class CleartextHttp2
{
    // As long as the gateway waits for a header.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0"u8;

    /// <summary>For all addresses that the process listens at; those with TLS are as they were.</summary>
    public static void AddCleartextHttp2(this IServiceCollection services)
    {
        // Before all others: an address takes the defaults that stand when it is named.
        services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<KestrelServerOptions>>(new ConfigureOptions<KestrelServerOptions>(kestrel =>
        {
            kestrel.AllowAlternateSchemes = true; // Such a client says http; the mark looks like TLS.
            kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Use(Look));
        })));
    }

    private static ConnectionDelegate Look(ConnectionDelegate next) => async connection =>
    {
        if (connection.Features.Get<ITlsConnectionFeature>() is null && await BeginsWithPrefaceAsync(connection))
        {
            var agreed = new AgreedOnHttp2();
            connection.Features.Set<ITlsConnectionFeature>(agreed);
            connection.Features.Set<ITlsApplicationProtocolFeature>(agreed);
        }

        await next(connection);
    };

    private static async Task<bool> BeginsWithPrefaceAsync(ConnectionContext connection)
    {
        var stopping = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed, stopping);
        patience.CancelAfter(Patience);
        var input = connection.Transport.Input;
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(patience.Token);
                var known = Judge(read.Buffer);
                var isOver = known is not null || read.IsCompleted || read.IsCanceled;
                input.AdvanceTo(read.Buffer.Start, isOver ? read.Buffer.Start : read.Buffer.End);
                if (isOver)
                {
                    return known == true;
                }
            }
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Whether the bytes begin with the preface; null: there are too few of them to say.</summary>
    private static bool? Judge(ReadOnlySequence<byte> bytes)
    {
        Span<byte> first = stackalloc byte[Preface.Length];
        var length = (int)Math.Min(bytes.Length, first.Length);
        bytes.Slice(0, length).CopyTo(first);
        return !Preface.StartsWith(first[..length]) ? false : length == first.Length ? true : null;
    }

    private sealed class AgreedOnHttp2 : ITlsConnectionFeature, ITlsApplicationProtocolFeature
    {
        private static readonly byte[] Http2 = "h2"u8.ToArray();

        public ReadOnlyMemory<byte> ApplicationProtocol => Http2;

        public X509Certificate2? ClientCertificate { get; set; }

        public Task<X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) => Task.FromResult(ClientCertificate);
    }
}
