using System.Security.Cryptography;
using LlmMarketplace.Storage;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Idempotency;

public sealed class SealedBytesTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(number => (byte)number)];

    [Fact]
    public void What_was_sealed_before_still_opens()
    {
        var (plain, nonce, tag, ciphertext) = ("kept"u8.ToArray(), Enumerable.Repeat((byte)7, 12).ToArray(), new byte[16], new byte[4]);
        using var aes = new AesGcm(Key, tag.Length);
        aes.Encrypt(nonce, plain, ciphertext, tag, "call"u8);

        Assert.Equal(plain, SealedBytes.Open(Key, [.. nonce, .. tag, .. ciphertext], "call"u8));
    }

    [Fact]
    public void What_belongs_to_something_else_or_was_changed_does_not_open()
    {
        var whole = SealedBytes.Seal(Key, "kept"u8, "call"u8);

        Assert.Equal("kept"u8.ToArray(), SealedBytes.Open(Key, whole, "call"u8));
        Assert.ThrowsAny<CryptographicException>(() => SealedBytes.Open(Key, whole, "another"u8));
        Assert.ThrowsAny<CryptographicException>(() => SealedBytes.Open(Key, whole.AsSpan(0, 27), "call"u8));
        whole[^1] ^= 1;
        Assert.ThrowsAny<CryptographicException>(() => SealedBytes.Open(Key, whole, "call"u8));
    }
}
